
// Helpers that follow every kernel's own text.

/// Number of a workgroup in a grid that was folded into two dimensions.
fn workgroup_index(id: vec3<u32>, count: vec3<u32>) -> u32 {
    return id.y * count.x + id.x;
}

/// max(x, 0), but NaN stays NaN, as in Keras: most GPUs' max would hide it from the loss. WGSL lets a
/// compiler assume that there is none and make x < 0.0 such a max, so bits decide: as integers, those of
/// the numbers from -0 down to -infinity are the ones up to -infinity's.
fn relu(x: f32) -> f32 {
    return select(x, 0.0, bitcast<i32>(x) <= -0x800000);
}

fn relu4(x: vec4<f32>) -> vec4<f32> {
    return select(x, vec4<f32>(), bitcast<vec4<i32>>(x) <= vec4<i32>(-0x800000));
}
