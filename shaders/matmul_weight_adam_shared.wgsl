// Weight gradient of a dense layer in tiles of 64 by 64 over workgroup memory
// (matmul_weight_shared_tile.wgsl), spent at once on an Adam step (adam_rule.wgsl), so that it is never
// stored; for GPUs.
//
// g[k,n] = sum over rows of x[m,k] dy[m,n]; nothing changes where a loss was not finite (metrics[2]).
//
// x (m, k); dy (m, n); metrics (4); w, moment1, moment2: a window of panels, (panels, k, 32), whose
// columns behind n have a zero gradient.

@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> metrics: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> moment1: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> moment2: array<vec4<f32>>;

fn use_gradient(at: u32, gradients: vec4<f32>) {
    if metrics[2] == 0.0 {
        apply(at, gradients);
    }
}

@compute @workgroup_size(128)
fn matmul_backward_weight_adam_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    run(workgroup_index(group, groups), local);
}
