// Weight gradient of a dense layer in register tiles whose operands are shared by subgroup broadcast, for
// adapters with subgroups of 8 where a load by single lanes is dear. How much a workgroup owns is the
// tile's word: matmul_weight_subgroup_tile.wgsl or matmul_weight_subgroup_wide_tile.wgsl.
//
// dw[k,n] = sum over rows of x[m,k] dy[m,n]
//
// x (m, k); operand: dy (m, n); dw: a window of panels, (panels, k, 32), zero behind column n. k is a
// multiple of 4. A workgroup is one subgroup; lane l owns four columns of its inputs.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> operand: array<Stored>;
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<f32>>;

fn finish(weight: u32, gradient: vec4<f32>) {
    dw[weight] = gradient;
}

@compute @workgroup_size(8)
fn matmul_backward_weight_subgroup(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    weight_gradient(workgroup_index(group, groups), lane);
}
