// matmul of a dense layer in register tiles whose operands are shared by subgroup broadcast. For
// adapters with subgroups of 8 where a load by single lanes is dear: 128 multiply-adds for
// every two vector loads.
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
// A workgroup is one subgroup. Forward: it owns 32 rows of y by one panel; backward input: 32 rows of
// grad_x by 32 inputs. Lane l owns four columns of all rows and loads row l of each eight.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> relu_mask: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<vec4<f32>>;

@compute @workgroup_size(8)
fn matmul_forward_subgroup(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    // Row blocks are fastest in the grid: they read the same weights, which stay in the cache.
    let i = workgroup_index(group, groups);
    let row_blocks = (params.m + 31u) / 32u;
    let first_row = i % row_blocks * 32u;
    let panel = i / row_blocks % params.panels;
    let split = i / row_blocks / params.panels;
    var a = Rows();
    var b = Rows();
    var c = Rows();
    var d = Rows();
    // Rows behind the last load the last: their sums are not stored.
    let width = params.k / 4u;
    let row = first_row + lane;
    let last = params.m - 1u;
    let xa = min(row, last) * width;
    let xb = min(row + 8u, last) * width;
    let xc = min(row + 16u, last) * width;
    let xd = min(row + 24u, last) * width;
    let begin = min(split * params.k_chunk, params.k) / 4u;
    let end = min((split + 1u) * params.k_chunk, params.k) / 4u;
    for (var k = begin; k < end; k += 1u) {
        let va = x[xa + k];
        let vb = x[xb + k];
        let vc = x[xc + k];
        let vd = x[xd + k];
        let weights = (panel * params.k + 4u * k) * 8u + lane;
        let w0 = w[weights];
        outer_product(&a, va.x, w0);
        outer_product(&b, vb.x, w0);
        outer_product(&c, vc.x, w0);
        outer_product(&d, vd.x, w0);
        let w1 = w[weights + 8u];
        outer_product(&a, va.y, w1);
        outer_product(&b, vb.y, w1);
        outer_product(&c, vc.y, w1);
        outer_product(&d, vd.y, w1);
        let w2 = w[weights + 16u];
        outer_product(&a, va.z, w2);
        outer_product(&b, vb.z, w2);
        outer_product(&c, vc.z, w2);
        outer_product(&d, vd.z, w2);
        let w3 = w[weights + 24u];
        outer_product(&a, va.w, w3);
        outer_product(&b, vb.w, w3);
        outer_product(&c, vc.w, w3);
        outer_product(&d, vd.w, w3);
    }
    let column = (params.first_panel + panel) * 32u + 4u * lane;
    store_forward_rows(split, first_row, column, a);
    store_forward_rows(split, first_row + 8u, column, b);
    store_forward_rows(split, first_row + 16u, column, c);
    store_forward_rows(split, first_row + 24u, column, d);
}

@compute @workgroup_size(8)
fn matmul_backward_input_subgroup(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let i = workgroup_index(group, groups);
    let row_blocks = (params.m + 31u) / 32u;
    let first_row = i % row_blocks * 32u;
    let k = i / row_blocks * 32u + 4u * lane;
    var a = before_rows(first_row, k);
    var b = before_rows(first_row + 8u, k);
    var c = before_rows(first_row + 16u, k);
    var d = before_rows(first_row + 24u, k);
    let width = params.n / 4u;
    let row = first_row + lane;
    let last = params.m - 1u;
    let ya = min(row, last) * width;
    let yb = min(row + 8u, last) * width;
    let yc = min(row + 16u, last) * width;
    let yd = min(row + 24u, last) * width;
    // Inputs behind the last read the last ones' weights: their sums are not stored.
    let inputs = min(k, params.k - 4u);
    let first = params.first_panel * 8u;
    let end = min(first + params.panels * 8u, width);
    for (var n = first; n < end; n += 1u) {
        let va = dy[ya + n];
        let vb = dy[yb + n];
        let vc = dy[yc + n];
        let vd = dy[yd + n];
        // Four inputs by four columns, transposed in registers.
        let weights = ((n - first) / 8u * params.k + inputs) * 8u + n % 8u;
        let k0 = w[weights];
        let k1 = w[weights + 8u];
        let k2 = w[weights + 16u];
        let k3 = w[weights + 24u];
        let w0 = vec4<f32>(k0.x, k1.x, k2.x, k3.x);
        outer_product(&a, va.x, w0);
        outer_product(&b, vb.x, w0);
        outer_product(&c, vc.x, w0);
        outer_product(&d, vd.x, w0);
        let w1 = vec4<f32>(k0.y, k1.y, k2.y, k3.y);
        outer_product(&a, va.y, w1);
        outer_product(&b, vb.y, w1);
        outer_product(&c, vc.y, w1);
        outer_product(&d, vd.y, w1);
        let w2 = vec4<f32>(k0.z, k1.z, k2.z, k3.z);
        outer_product(&a, va.z, w2);
        outer_product(&b, vb.z, w2);
        outer_product(&c, vc.z, w2);
        outer_product(&d, vd.z, w2);
        let w3 = vec4<f32>(k0.w, k1.w, k2.w, k3.w);
        outer_product(&a, va.w, w3);
        outer_product(&b, vb.w, w3);
        outer_product(&c, vc.w, w3);
        outer_product(&d, vd.w, w3);
    }
    store_input_rows(first_row, k, a);
    store_input_rows(first_row + 8u, k, b);
    store_input_rows(first_row + 16u, k, c);
    store_input_rows(first_row + 24u, k, d);
}
