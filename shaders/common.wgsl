
// Helpers that follow every kernel's own text.

/// Number of a workgroup in a grid that was folded into two dimensions.
fn workgroup_index(id: vec3<u32>, count: vec3<u32>) -> u32 {
    return id.y * count.x + id.x;
}
