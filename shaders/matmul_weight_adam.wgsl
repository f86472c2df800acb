// Weight gradient of a dense layer spent at once on an Adam step, so that it is never stored; the
// readable baseline: one invocation owns one weight.
//
// g[k,n] = sum over rows of x[m,k] dy[m,n]; m += (g - m)gain1, v += (g^2 - v)gain2,
// w -= rate m / (sqrt(v) + epsilon); nothing changes where a loss was not finite (metrics[2]).
//
// x (m, k); dy (m, n); metrics (4); w, moment1, moment2: a window of panels, (panels, k, 32), whose
// columns behind n have a zero gradient.

struct Params {
    m: u32,
    k: u32,
    n: u32,
    first_panel: u32,
    panels: u32,
    gain1: f32,
    gain2: f32,
    epsilon: f32,
}

struct Step {
    step: u32,
    valid_rows: u32,
    rate: f32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> metrics: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<f32>;
@group(0) @binding(6) var<storage, read_write> moment1: array<f32>;
@group(0) @binding(7) var<storage, read_write> moment2: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn matmul_backward_weight_adam(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.panels * params.k * 32u && metrics[2] == 0.0 {
        let k = i / 32u % params.k;
        let column = (params.first_panel + i / 32u / params.k) * 32u + i % 32u;
        var g = 0.0;
        if column < params.n {
            for (var row = 0u; row < params.m; row += 1u) {
                g += x[row * params.k + k] * dy[row * params.n + column];
            }
        }
        let m = moment1[i];
        let v = moment2[i];
        let first = m + (g - m) * params.gain1;
        let second = v + (g * g - v) * params.gain2;
        moment1[i] = first;
        moment2[i] = second;
        w[i] -= step.rate * first / (sqrt(second) + params.epsilon);
    }
}
