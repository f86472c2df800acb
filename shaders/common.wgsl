
// Helpers that follow every kernel's own text.

/// Number of a workgroup in a grid that was folded into two dimensions.
fn workgroup_index(id: vec3<u32>, count: vec3<u32>) -> u32 {
    return id.y * count.x + id.x;
}

/// max(x, 0), but NaN stays NaN, as in Keras: most GPUs' max would hide it from the loss.
fn relu(x: f32) -> f32 {
    return select(x, 0.0, x < 0.0);
}
