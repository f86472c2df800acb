// matmul of a dense layer in register tiles without barriers and without subgroups, for software
// adapters, where every load by a lane is dear: 256 multiply-adds for 16 vector loads.
//
// forward:        y = relu(bias + x w); with splits > 1 y is (splits, m, n) and holds the partial
//                 sums over k_chunk inputs each, without bias and ReLU.
// backward input: grad_x = (grad_x, if accumulating) + dy w^T over the window's columns, zero where the ReLU
//                 before (relu_mask) was closed.
//
// x, grad_x, relu_mask (m, k); y, dy (m, n); bias (n); w: a window of the kernel's panels, (panels, k, 32),
// panel p holding columns 32 (first_panel + p) ... of the (k, n) kernel, zero behind column n. k is a
// multiple of 4; backward input wants that of n too.
//
// Forward: an invocation owns 8 rows by 8 columns of y for one share of k; backward input: 8 rows by 8
// inputs of grad_x. Four terms at a time are summed as a product with a 4 by 4 matrix of weights.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> relu_mask: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn matmul_forward_registers(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Row blocks are fastest: neighbouring lanes read the same weights.
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let row_blocks = (params.m + 7u) / 8u;
    let row = i % row_blocks * 8u;
    let block = i / row_blocks % (params.panels * 4u);
    let split = i / row_blocks / (params.panels * 4u);
    if split < params.splits {
        // Rows behind the last load the last: their sums are not stored.
        let width = params.k / 4u;
        let last = params.m - 1u;
        let x0 = row * width;
        let x1 = min(row + 1u, last) * width;
        let x2 = min(row + 2u, last) * width;
        let x3 = min(row + 3u, last) * width;
        let x4 = min(row + 4u, last) * width;
        let x5 = min(row + 5u, last) * width;
        let x6 = min(row + 6u, last) * width;
        let x7 = min(row + 7u, last) * width;
        let begin = min(split * params.k_chunk, params.k) / 4u;
        let end = min((split + 1u) * params.k_chunk, params.k) / 4u;
        let weights = block / 4u * params.k * 8u + block % 4u * 2u;
        var left = Rows();
        var right = Rows();
        for (var k = begin; k < end; k += 1u) {
            let at = weights + k * 32u;
            let a = mat4x4<f32>(w[at], w[at + 8u], w[at + 16u], w[at + 24u]);
            let b = mat4x4<f32>(w[at + 1u], w[at + 9u], w[at + 17u], w[at + 25u]);
            let v0 = x[x0 + k];
            left.r0 += a * v0;
            right.r0 += b * v0;
            let v1 = x[x1 + k];
            left.r1 += a * v1;
            right.r1 += b * v1;
            let v2 = x[x2 + k];
            left.r2 += a * v2;
            right.r2 += b * v2;
            let v3 = x[x3 + k];
            left.r3 += a * v3;
            right.r3 += b * v3;
            let v4 = x[x4 + k];
            left.r4 += a * v4;
            right.r4 += b * v4;
            let v5 = x[x5 + k];
            left.r5 += a * v5;
            right.r5 += b * v5;
            let v6 = x[x6 + k];
            left.r6 += a * v6;
            right.r6 += b * v6;
            let v7 = x[x7 + k];
            left.r7 += a * v7;
            right.r7 += b * v7;
        }
        let column = params.first_panel * 32u + block * 8u;
        store_forward_rows(split, row, column, left);
        store_forward_rows(split, row, column + 4u, right);
    }
}

@compute @workgroup_size(WORKGROUP)
fn matmul_backward_input_registers(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let row_blocks = (params.m + 7u) / 8u;
    let row = i % row_blocks * 8u;
    let k = i / row_blocks * 8u;
    if k < params.k {
        let width = params.n / 4u;
        let last = params.m - 1u;
        let y0 = row * width;
        let y1 = min(row + 1u, last) * width;
        let y2 = min(row + 2u, last) * width;
        let y3 = min(row + 3u, last) * width;
        let y4 = min(row + 4u, last) * width;
        let y5 = min(row + 5u, last) * width;
        let y6 = min(row + 6u, last) * width;
        let y7 = min(row + 7u, last) * width;
        // Inputs behind the last read the last ones' weights: their sums are not stored.
        let near = k * 8u;
        let far = min(k + 4u, params.k - 4u) * 8u;
        let first = params.first_panel * 8u;
        let end = min(first + params.panels * 8u, width);
        var left = before_rows(row, k);
        var right = before_rows(row, k + 4u);
        for (var n = first; n < end; n += 1u) {
            let panel = (n - first) / 8u * params.k * 8u + n % 8u;
            let at = panel + near;
            let to = panel + far;
            let a = mat4x4<f32>(w[at], w[at + 8u], w[at + 16u], w[at + 24u]);
            let b = mat4x4<f32>(w[to], w[to + 8u], w[to + 16u], w[to + 24u]);
            let v0 = dy[y0 + n];
            left.r0 += v0 * a;
            right.r0 += v0 * b;
            let v1 = dy[y1 + n];
            left.r1 += v1 * a;
            right.r1 += v1 * b;
            let v2 = dy[y2 + n];
            left.r2 += v2 * a;
            right.r2 += v2 * b;
            let v3 = dy[y3 + n];
            left.r3 += v3 * a;
            right.r3 += v3 * b;
            let v4 = dy[y4 + n];
            left.r4 += v4 * a;
            right.r4 += v4 * b;
            let v5 = dy[y5 + n];
            left.r5 += v5 * a;
            right.r5 += v5 * b;
            let v6 = dy[y6 + n];
            left.r6 += v6 * a;
            right.r6 += v6 * b;
            let v7 = dy[y7 + n];
            left.r7 += v7 * a;
            right.r7 += v7 * b;
        }
        store_input_rows(row, k, left);
        store_input_rows(row, k + 4u, right);
    }
}
