// The small sums of a dense layer.
//
// matmul_reduce_forward: y = relu(bias + partial[0] + partial[1] + ...), shares in order
// matmul_backward_bias:  db[n] = sum over rows of dy[m,n]
//
// partial (splits, m, n); y, dy (m, n); bias, db (n). An invocation owns one output.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> db: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn matmul_reduce_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let outputs = params.m * params.n;
    if i < outputs {
        var sum = bias[i % params.n];
        for (var split = 0u; split < params.splits; split += 1u) {
            sum += partial[split * outputs + i];
        }
        if params.relu != 0u {
            sum = relu(sum);
        }
        y[i] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn matmul_backward_bias(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.n {
        var sum = 0.0;
        for (var row = 0u; row < params.m; row += 1u) {
            sum += dy[row * params.n + i];
        }
        db[i] = sum;
    }
}
