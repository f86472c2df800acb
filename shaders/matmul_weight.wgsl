// Weight gradient of a dense layer, the readable baseline: one invocation owns one weight.
//
// dw[k,n] = sum over rows of x[m,k] dy[m,n]
//
// x (m, k); dy (m, n); dw: a window of panels, (panels, k, 32), zero behind column n.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn matmul_backward_weight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.panels * params.k * 32u {
        let k = i / 32u % params.k;
        let column = (params.first_panel + i / 32u / params.k) * 32u + i % 32u;
        var sum = 0.0;
        if column < params.n {
            for (var row = 0u; row < params.m; row += 1u) {
                sum += x[row * params.k + k] * dy[row * params.n + column];
            }
        }
        dw[i] = sum;
    }
}
