
// Two sums over a workgroup at once, as trees. The kernel declares WORKGROUP, a power of two.

var<workgroup> pairs: array<vec2<f32>, WORKGROUP>;

/// The sum of all invocations' `own`, for each of them. Before a next sum all must have read this one.
fn sum_of_group(local: u32, own: vec2<f32>) -> vec2<f32> {
    pairs[local] = own;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half {
            pairs[local] += pairs[local + half];
        }
        workgroupBarrier();
    }
    return pairs[0];
}
