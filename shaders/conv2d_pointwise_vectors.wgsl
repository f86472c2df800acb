// How convolutions of one pixel reach four pixels (four_pixels_vectors.wgsl). The kernels declare source,
// bias_or_mask and result.

fn source_four(at: Places) -> vec4<f32> {
    return source[at];
}

fn mask_four(at: Places) -> vec4<f32> {
    let i = 4u * at;
    return vec4<f32>(bias_or_mask[i], bias_or_mask[i + 1u], bias_or_mask[i + 2u], bias_or_mask[i + 3u]);
}

/// Stores the first `count` of four pixels, which is all of them.
fn store_four(at: Places, count: u32, four: vec4<f32>) {
    result[at] = four;
}
