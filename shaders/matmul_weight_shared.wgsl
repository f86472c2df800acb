// Weight gradient of a dense layer in tiles of 64 by 64 over workgroup memory
// (matmul_weight_shared_tile.wgsl), for GPUs.
//
// dw[k,n] = sum over rows of x[m,k] dy[m,n]
//
// x (m, k); dy (m, n); dw: a window of panels, (panels, k, 32), zero behind column n.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<f32>>;

fn use_gradient(at: u32, gradients: vec4<f32>) {
    dw[at] = gradients;
}

@compute @workgroup_size(128)
fn matmul_backward_weight_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    run(workgroup_index(group, groups), local);
}
