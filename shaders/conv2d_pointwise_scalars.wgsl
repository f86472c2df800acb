// How convolutions of one pixel reach four pixels (four_pixels_scalars.wgsl). The kernels declare source,
// bias_or_mask and result.

fn source_four(at: Places) -> vec4<f32> {
    return vec4<f32>(source[at.x], source[at.y], source[at.z], source[at.w]);
}

fn mask_four(at: Places) -> vec4<f32> {
    return vec4<f32>(bias_or_mask[at.x], bias_or_mask[at.y], bias_or_mask[at.z], bias_or_mask[at.w]);
}

/// Stores the first `count` of four pixels, of which there is one.
fn store_four(at: Places, count: u32, four: vec4<f32>) {
    result[at.x] = four.x;
    if count > 1u {
        result[at.y] = four.y;
    }
    if count > 2u {
        result[at.z] = four.z;
    }
    if count > 3u {
        result[at.w] = four.w;
    }
}
