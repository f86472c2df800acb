// matmul of a dense layer, the readable baseline: one invocation owns one output.
//
// forward:        y = relu(bias + x w); with splits > 1 y is (splits, m, n) and holds the partial
//                 sums over k_chunk inputs each, without bias and ReLU.
// backward input: grad_x = (grad_x, if accumulating) + dy w^T over the window's columns, zero where the ReLU
//                 before (relu_mask) was closed.
//
// x, grad_x, relu_mask (m, k); y, dy (m, n); bias (n); w: a window of the kernel's panels, (panels, k, 32),
// panel p holding columns 32 (first_panel + p) ... of the (k, n) kernel, zero behind column n.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<f32>;

fn weight(k: u32, column: u32) -> f32 {
    let panel = column / 32u - params.first_panel;
    return w[(panel * params.k + k) * 32u + column % 32u];
}

@compute @workgroup_size(WORKGROUP)
fn matmul_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let first = params.first_panel * 32u;
    let columns = min(params.panels * 32u, params.n - first);
    let column = first + i % columns;
    let row = i / columns % params.m;
    let split = i / columns / params.m;
    if split < params.splits {
        let whole = params.splits == 1u;
        var sum = select(0.0, bias[column], whole);
        let end = min((split + 1u) * params.k_chunk, params.k);
        for (var k = split * params.k_chunk; k < end; k += 1u) {
            sum += x[row * params.k + k] * weight(k, column);
        }
        if whole && params.relu != 0u {
            sum = relu(sum);
        }
        y[(split * params.m + row) * params.n + column] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn matmul_backward_input(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.m * params.k {
        let row = i / params.k;
        let k = i % params.k;
        var sum = 0.0;
        if params.accumulate != 0u {
            sum = grad_x[i];
        }
        let first = params.first_panel * 32u;
        let end = min(first + params.panels * 32u, params.n);
        for (var column = first; column < end; column += 1u) {
            sum += dy[row * params.n + column] * weight(k, column);
        }
        if params.relu != 0u {
            sum = select(0.0, sum, relu_mask[i] > 0.0);
        }
        grad_x[i] = sum;
    }
}
