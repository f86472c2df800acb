// Weight gradient of a dense layer in register tiles whose operands are shared by subgroup broadcast
// (matmul_weight_subgroup_tile.wgsl, matmul_weight_subgroup_wide_tile.wgsl), spent at once on an Adam
// step (adam_rule.wgsl) and never stored.
//
// g[k,n] = sum over rows of x[m,k] dy[m,n]; nothing changes where a loss was not finite (metrics[2]).
//
// x (m, k); operand: dy (m, n); metrics (4); w, moment1, moment2: a window of panels, (panels, k, 32),
// whose columns behind n have a zero gradient. k is a multiple of 4. A workgroup is one subgroup and owns
// four kilobytes or more in a row of each of the three; lane l owns four columns of its inputs.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> operand: array<Stored>;
@group(0) @binding(4) var<storage, read> metrics: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> moment1: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> moment2: array<vec4<f32>>;

/// Was every loss so far finite? Looked up once: every load counts.
var<private> finite: bool;

fn finish(weight: u32, gradient: vec4<f32>) {
    if finite {
        apply(weight, gradient);
    }
}

@compute @workgroup_size(8)
fn matmul_backward_weight_adam_subgroup(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    finite = metrics[2] == 0.0;
    weight_gradient(workgroup_index(group, groups), lane);
}
