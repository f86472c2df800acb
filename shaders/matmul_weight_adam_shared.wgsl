// Weight gradient of a dense layer in tiles of 64 by 64 over workgroup memory
// (matmul_weight_shared_tile.wgsl), spent at once on an Adam step, so that it is never stored; for GPUs.
//
// g[k,n] = sum over rows of x[m,k] dy[m,n]; m += (g - m)gain1, v += (g^2 - v)gain2,
// w -= rate m / (sqrt(v) + epsilon); nothing changes where a loss was not finite (metrics[2]).
//
// x (m, k); dy (m, n); metrics (4); w, moment1, moment2: a window of panels, (panels, k, 32), whose
// columns behind n have a zero gradient.

struct Step {
    step: u32,
    valid_rows: u32,
    rate: f32,
}

@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> metrics: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> moment1: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> moment2: array<vec4<f32>>;

fn use_gradient(at: u32, gradients: vec4<f32>) {
    if metrics[2] == 0.0 {
        // All are loaded before the first store, so that the loads overlap.
        let weights = w[at];
        let m = moment1[at];
        let v = moment2[at];
        let first = m + (gradients - m) * params.gain1;
        let second = v + (gradients * gradients - v) * params.gain2;
        moment1[at] = first;
        moment2[at] = second;
        w[at] = weights - step.rate * first / (sqrt(second) + params.epsilon);
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
