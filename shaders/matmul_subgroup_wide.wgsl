// matmul of a dense layer in register tiles of 64 by 64 whose operands are shared by subgroup
// broadcast. For adapters with subgroups of 8 where a load by single lanes is dear: 512 vector
// multiply-adds for every 16 loads, twice as many as in the tiles of 32 (matmul_subgroup.wgsl), for four
// times the registers, which software adapters keep in the nearest cache.
//
// forward:        y = relu(bias + x w); with splits > 1 y is (splits, m, n) and holds the partial
//                 sums over k_chunk inputs each, without bias and ReLU.
// backward input: grad_x = (grad_x, if accumulating) + dy w^T over the window's columns, zero where the ReLU
//                 before (relu_mask) was closed.
//
// x, grad_x, relu_mask (m, k); y, dy (m, n); bias (n); w: a window of the kernel's panels, (panels, k, 32),
// panel p holding columns 32 (first_panel + p) ... of the (k, n) kernel, zero behind column n. Backward
// input wants k to be a multiple of 4.
//
// A workgroup is one subgroup. Forward: it owns 64 rows of y by two panels; backward input: 64 rows of
// grad_x by 64 inputs. Lane l owns four columns of either half, of all rows, and loads row l of each eight.

struct Params {
    m: u32,
    k: u32,
    n: u32,
    first_panel: u32,
    panels: u32,
    splits: u32,
    k_chunk: u32,
    relu: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> w_scalar: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<vec4<f32>>;

@compute @workgroup_size(8)
fn matmul_forward_subgroup_wide(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    // Row blocks are fastest in the grid: they read the same weights, which stay in the cache.
    let i = workgroup_index(group, groups);
    let row_blocks = (params.m + 63u) / 64u;
    let pairs = (params.panels + 1u) / 2u;
    let first_row = i % row_blocks * 64u;
    let panel = i / row_blocks % pairs * 2u;
    let split = i / row_blocks / pairs;
    var left_a = Rows();
    var left_b = Rows();
    var left_c = Rows();
    var left_d = Rows();
    var left_e = Rows();
    var left_f = Rows();
    var left_g = Rows();
    var left_h = Rows();
    var right_a = Rows();
    var right_b = Rows();
    var right_c = Rows();
    var right_d = Rows();
    var right_e = Rows();
    var right_f = Rows();
    var right_g = Rows();
    var right_h = Rows();
    // Rows behind the last load the last, and a panel behind the last is the last: not stored.
    let row = first_row + lane;
    let last = params.m - 1u;
    let row_a = min(row, last) * params.k;
    let row_b = min(row + 8u, last) * params.k;
    let row_c = min(row + 16u, last) * params.k;
    let row_d = min(row + 24u, last) * params.k;
    let row_e = min(row + 32u, last) * params.k;
    let row_f = min(row + 40u, last) * params.k;
    let row_g = min(row + 48u, last) * params.k;
    let row_h = min(row + 56u, last) * params.k;
    let begin = min(split * params.k_chunk, params.k);
    let end = min((split + 1u) * params.k_chunk, params.k);
    let other = min(panel + 1u, params.panels - 1u);
    for (var k = begin; k < end; k += 1u) {
        let w_left = w[(panel * params.k + k) * 8u + lane];
        let w_right = w[(other * params.k + k) * 8u + lane];
        let x_a = x[row_a + k];
        let x_b = x[row_b + k];
        let x_c = x[row_c + k];
        let x_d = x[row_d + k];
        let x_e = x[row_e + k];
        let x_f = x[row_f + k];
        let x_g = x[row_g + k];
        let x_h = x[row_h + k];
        outer_product(&left_a, x_a, w_left);
        outer_product(&right_a, x_a, w_right);
        outer_product(&left_b, x_b, w_left);
        outer_product(&right_b, x_b, w_right);
        outer_product(&left_c, x_c, w_left);
        outer_product(&right_c, x_c, w_right);
        outer_product(&left_d, x_d, w_left);
        outer_product(&right_d, x_d, w_right);
        outer_product(&left_e, x_e, w_left);
        outer_product(&right_e, x_e, w_right);
        outer_product(&left_f, x_f, w_left);
        outer_product(&right_f, x_f, w_right);
        outer_product(&left_g, x_g, w_left);
        outer_product(&right_g, x_g, w_right);
        outer_product(&left_h, x_h, w_left);
        outer_product(&right_h, x_h, w_right);
    }
    let column = (params.first_panel + panel) * 32u + 4u * lane;
    store_forward_rows(split, first_row, column, left_a);
    store_forward_rows(split, first_row + 8u, column, left_b);
    store_forward_rows(split, first_row + 16u, column, left_c);
    store_forward_rows(split, first_row + 24u, column, left_d);
    store_forward_rows(split, first_row + 32u, column, left_e);
    store_forward_rows(split, first_row + 40u, column, left_f);
    store_forward_rows(split, first_row + 48u, column, left_g);
    store_forward_rows(split, first_row + 56u, column, left_h);
    if other > panel {
        store_forward_rows(split, first_row, column + 32u, right_a);
        store_forward_rows(split, first_row + 8u, column + 32u, right_b);
        store_forward_rows(split, first_row + 16u, column + 32u, right_c);
        store_forward_rows(split, first_row + 24u, column + 32u, right_d);
        store_forward_rows(split, first_row + 32u, column + 32u, right_e);
        store_forward_rows(split, first_row + 40u, column + 32u, right_f);
        store_forward_rows(split, first_row + 48u, column + 32u, right_g);
        store_forward_rows(split, first_row + 56u, column + 32u, right_h);
    }
}

@compute @workgroup_size(8)
fn matmul_backward_input_subgroup_wide(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let i = workgroup_index(group, groups);
    let row_blocks = (params.m + 63u) / 64u;
    let first_row = i % row_blocks * 64u;
    let k = i / row_blocks * 64u + 4u * lane;
    var left_a = before_rows(first_row, k);
    var left_b = before_rows(first_row + 8u, k);
    var left_c = before_rows(first_row + 16u, k);
    var left_d = before_rows(first_row + 24u, k);
    var left_e = before_rows(first_row + 32u, k);
    var left_f = before_rows(first_row + 40u, k);
    var left_g = before_rows(first_row + 48u, k);
    var left_h = before_rows(first_row + 56u, k);
    var right_a = before_rows(first_row, k + 32u);
    var right_b = before_rows(first_row + 8u, k + 32u);
    var right_c = before_rows(first_row + 16u, k + 32u);
    var right_d = before_rows(first_row + 24u, k + 32u);
    var right_e = before_rows(first_row + 32u, k + 32u);
    var right_f = before_rows(first_row + 40u, k + 32u);
    var right_g = before_rows(first_row + 48u, k + 32u);
    var right_h = before_rows(first_row + 56u, k + 32u);
    let row = first_row + lane;
    let last = params.m - 1u;
    let row_a = min(row, last) * params.n;
    let row_b = min(row + 8u, last) * params.n;
    let row_c = min(row + 16u, last) * params.n;
    let row_d = min(row + 24u, last) * params.n;
    let row_e = min(row + 32u, last) * params.n;
    let row_f = min(row + 40u, last) * params.n;
    let row_g = min(row + 48u, last) * params.n;
    let row_h = min(row + 56u, last) * params.n;
    // Inputs behind the last read the last ones' weights: their sums are not stored.
    let left = min(k, params.k - 4u) * 32u;
    let right = min(k + 32u, params.k - 4u) * 32u;
    let first = params.first_panel * 32u;
    let end = min(first + params.panels * 32u, params.n);
    for (var n = first; n < end; n += 1u) {
        let at = (n - first) / 32u * params.k * 32u + n % 32u;
        let w_left = four_inputs(at + left);
        let w_right = four_inputs(at + right);
        let dy_a = dy[row_a + n];
        let dy_b = dy[row_b + n];
        let dy_c = dy[row_c + n];
        let dy_d = dy[row_d + n];
        let dy_e = dy[row_e + n];
        let dy_f = dy[row_f + n];
        let dy_g = dy[row_g + n];
        let dy_h = dy[row_h + n];
        outer_product(&left_a, dy_a, w_left);
        outer_product(&right_a, dy_a, w_right);
        outer_product(&left_b, dy_b, w_left);
        outer_product(&right_b, dy_b, w_right);
        outer_product(&left_c, dy_c, w_left);
        outer_product(&right_c, dy_c, w_right);
        outer_product(&left_d, dy_d, w_left);
        outer_product(&right_d, dy_d, w_right);
        outer_product(&left_e, dy_e, w_left);
        outer_product(&right_e, dy_e, w_right);
        outer_product(&left_f, dy_f, w_left);
        outer_product(&right_f, dy_f, w_right);
        outer_product(&left_g, dy_g, w_left);
        outer_product(&right_g, dy_g, w_right);
        outer_product(&left_h, dy_h, w_left);
        outer_product(&right_h, dy_h, w_right);
    }
    store_input_rows(first_row, k, left_a);
    store_input_rows(first_row + 8u, k, left_b);
    store_input_rows(first_row + 16u, k, left_c);
    store_input_rows(first_row + 24u, k, left_d);
    store_input_rows(first_row + 32u, k, left_e);
    store_input_rows(first_row + 40u, k, left_f);
    store_input_rows(first_row + 48u, k, left_g);
    store_input_rows(first_row + 56u, k, left_h);
    store_input_rows(first_row, k + 32u, right_a);
    store_input_rows(first_row + 8u, k + 32u, right_b);
    store_input_rows(first_row + 16u, k + 32u, right_c);
    store_input_rows(first_row + 24u, k + 32u, right_d);
    store_input_rows(first_row + 32u, k + 32u, right_e);
    store_input_rows(first_row + 40u, k + 32u, right_f);
    store_input_rows(first_row + 48u, k + 32u, right_g);
    store_input_rows(first_row + 56u, k + 32u, right_h);
}

/// The weights of four inputs to one column.
fn four_inputs(at: u32) -> vec4<f32> {
    return vec4<f32>(w_scalar[at], w_scalar[at + 32u], w_scalar[at + 64u], w_scalar[at + 96u]);
}
