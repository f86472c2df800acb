// softmax: y = exp(x - max) / sum of exp(x - max) along each row; grad_x = y * (dy - sum(dy * y)).
//
// x, y, probabilities, dy, grad_x (rows, classes). An invocation owns one row.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> probabilities: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn softmax_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = workgroup_index(group, groups) * WORKGROUP + local;
    if row < params.rows {
        let start = row * params.classes;
        var largest = x[start];
        for (var i = 1u; i < params.classes; i += 1u) {
            largest = max(largest, x[start + i]);
        }
        var sum = 0.0;
        for (var i = 0u; i < params.classes; i += 1u) {
            sum += exp(x[start + i] - largest);
        }
        for (var i = 0u; i < params.classes; i += 1u) {
            y[start + i] = exp(x[start + i] - largest) / sum;
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn softmax_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = workgroup_index(group, groups) * WORKGROUP + local;
    if row < params.rows {
        let start = row * params.classes;
        var dot = 0.0;
        for (var i = 0u; i < params.classes; i += 1u) {
            dot += dy[start + i] * probabilities[start + i];
        }
        for (var i = 0u; i < params.classes; i += 1u) {
            grad_x[start + i] = probabilities[start + i] * (dy[start + i] - dot);
        }
    }
}
