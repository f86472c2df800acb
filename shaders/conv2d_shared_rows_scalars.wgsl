// How convolutions from rows write images of any width. The kernel declares result.

alias Stored = f32;

/// Writes the first `count` of four neighbours, from number i on.
fn store_four(i: u32, count: u32, four: vec4<f32>) {
    for (var p = 0u; p < min(count, 4u); p += 1u) {
        result[i + p] = four[p];
    }
}
