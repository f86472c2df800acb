// Weight gradient of a dense layer spent at once on an Adam step (adam_rule.wgsl), so that it is never
// stored; the readable baseline: one invocation owns four weights of a row.
//
// g[k,n] = sum over rows of x[m,k] dy[m,n]; nothing changes where a loss was not finite (metrics[2]).
//
// x (m, k); dy (m, n); metrics (4); w, moment1, moment2: a window of panels, (panels, k, 32), in vectors
// of four, whose columns behind n have a zero gradient.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> metrics: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> moment1: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> moment2: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn matmul_backward_weight_adam(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.panels * params.k * 8u && metrics[2] == 0.0 {
        let k = i / 8u % params.k;
        let first = (params.first_panel + i / 8u / params.k) * 32u + i % 8u * 4u;
        var g = vec4<f32>();
        for (var row = 0u; row < params.m; row += 1u) {
            let at = row * params.n;
            for (var j = 0u; j < min(4u, max(params.n, first) - first); j += 1u) {
                g[j] += x[row * params.k + k] * dy[at + first + j];
            }
        }
        apply(i, g);
    }
}
