// How convolutions from rows write images whose rows are whole vectors. The kernel declares result.

alias Stored = vec4<f32>;

/// Writes four neighbours, from number i on.
fn store_four(i: u32, count: u32, four: vec4<f32>) {
    result[i / 4u] = four;
}
