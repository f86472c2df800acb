// matmul of a dense layer in register tiles of 64 by 64 whose operands are shared by subgroup
// broadcast. For adapters with subgroups of 8 where a load by single lanes is dear: 2,048 vector
// multiply-adds for 16 loads of vectors, half as many for each as in the tiles of 32
// (matmul_subgroup.wgsl), for four times the registers, which software adapters keep in the nearest cache.
//
// forward:        y = relu(bias + x w); with splits > 1 y is (splits, m, n) and holds the partial
//                 sums over k_chunk inputs each, without bias and ReLU.
// backward input: grad_x = (grad_x, if accumulating) + dy w^T over the window's columns, zero where the ReLU
//                 before (relu_mask) was closed.
//
// operand: x (m, k) or dy (m, n); grad_x, relu_mask (m, k); y (m, n); bias (n); w: a window of the
// kernel's panels, (panels, k, 32), panel p holding columns 32 (first_panel + p) ... of the (k, n)
// kernel, zero behind column n. Backward input wants k to be a multiple of 4; how the rows of operand
// are loaded (four_of_row) tells what they must be multiples of.
//
// A workgroup is one subgroup. Forward: it owns 64 rows of y by two panels; backward input: 64 rows of
// grad_x by 64 inputs. Lane l owns four columns of either half, of all rows, and loads row l of each eight.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> operand: array<Stored>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(3) var<storage, read> relu_mask: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<vec4<f32>>;

/// Inputs k ... k + 3 of a lane's columns in panel p of the window; those from `end` on are the last.
fn forward_terms(p: u32, k: u32, end: u32, lane: u32) -> Terms {
    let panel = p * params.k;
    let last = end - 1u;
    return Terms(
        w[(panel + k) * 8u + lane],
        w[(panel + min(k + 1u, last)) * 8u + lane],
        w[(panel + min(k + 2u, last)) * 8u + lane],
        w[(panel + min(k + 3u, last)) * 8u + lane],
    );
}

/// Four columns, the first at `at` of input 0, of a lane's inputs k ... k + 3.
fn backward_terms(at: u32, k: u32) -> Terms {
    let a = w[at + k * 8u];
    let b = w[at + k * 8u + 8u];
    let c = w[at + k * 8u + 16u];
    let d = w[at + k * 8u + 24u];
    return Terms(
        vec4<f32>(a.x, b.x, c.x, d.x),
        vec4<f32>(a.y, b.y, c.y, d.y),
        vec4<f32>(a.z, b.z, c.z, d.z),
        vec4<f32>(a.w, b.w, c.w, d.w),
    );
}

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
    var tile = Tile();
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
    for (var k = begin; k < end; k += 4u) {
        let w_left = forward_terms(panel, k, end, lane);
        let w_right = forward_terms(other, k, end, lane);
        let x_a = four_of_row(row_a, k, end);
        let x_b = four_of_row(row_b, k, end);
        let x_c = four_of_row(row_c, k, end);
        let x_d = four_of_row(row_d, k, end);
        let x_e = four_of_row(row_e, k, end);
        let x_f = four_of_row(row_f, k, end);
        let x_g = four_of_row(row_g, k, end);
        let x_h = four_of_row(row_h, k, end);
        tile.left_a = add_products(tile.left_a, x_a, w_left);
        tile.left_b = add_products(tile.left_b, x_b, w_left);
        tile.left_c = add_products(tile.left_c, x_c, w_left);
        tile.left_d = add_products(tile.left_d, x_d, w_left);
        tile.left_e = add_products(tile.left_e, x_e, w_left);
        tile.left_f = add_products(tile.left_f, x_f, w_left);
        tile.left_g = add_products(tile.left_g, x_g, w_left);
        tile.left_h = add_products(tile.left_h, x_h, w_left);
        tile.right_a = add_products(tile.right_a, x_a, w_right);
        tile.right_b = add_products(tile.right_b, x_b, w_right);
        tile.right_c = add_products(tile.right_c, x_c, w_right);
        tile.right_d = add_products(tile.right_d, x_d, w_right);
        tile.right_e = add_products(tile.right_e, x_e, w_right);
        tile.right_f = add_products(tile.right_f, x_f, w_right);
        tile.right_g = add_products(tile.right_g, x_g, w_right);
        tile.right_h = add_products(tile.right_h, x_h, w_right);
    }
    let column = (params.first_panel + panel) * 32u + 4u * lane;
    for (var i = 0u; i < select(8u, 16u, other > panel); i += 1u) {
        store_forward_rows(split, first_row + i % 8u * 8u, column + i / 8u * 32u, tile.left_a);
        tile = shift(tile, Rows());
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
    var tile = Tile();
    for (var i = 0u; i < select(0u, 16u, params.accumulate != 0u); i += 1u) {
        tile = shift(tile, before_rows(first_row + i % 8u * 8u, k + i / 8u * 32u));
    }
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
    let left = min(k, params.k - 4u);
    let right = min(k + 32u, params.k - 4u);
    let first = params.first_panel * 32u;
    let end = min(first + params.panels * 32u, params.n);
    for (var n = first; n < end; n += 4u) {
        let at = (n - first) / 32u * params.k * 8u + n % 32u / 4u;
        let w_left = backward_terms(at, left);
        let w_right = backward_terms(at, right);
        let dy_a = four_of_row(row_a, n, end);
        let dy_b = four_of_row(row_b, n, end);
        let dy_c = four_of_row(row_c, n, end);
        let dy_d = four_of_row(row_d, n, end);
        let dy_e = four_of_row(row_e, n, end);
        let dy_f = four_of_row(row_f, n, end);
        let dy_g = four_of_row(row_g, n, end);
        let dy_h = four_of_row(row_h, n, end);
        tile.left_a = add_products(tile.left_a, dy_a, w_left);
        tile.left_b = add_products(tile.left_b, dy_b, w_left);
        tile.left_c = add_products(tile.left_c, dy_c, w_left);
        tile.left_d = add_products(tile.left_d, dy_d, w_left);
        tile.left_e = add_products(tile.left_e, dy_e, w_left);
        tile.left_f = add_products(tile.left_f, dy_f, w_left);
        tile.left_g = add_products(tile.left_g, dy_g, w_left);
        tile.left_h = add_products(tile.left_h, dy_h, w_left);
        tile.right_a = add_products(tile.right_a, dy_a, w_right);
        tile.right_b = add_products(tile.right_b, dy_b, w_right);
        tile.right_c = add_products(tile.right_c, dy_c, w_right);
        tile.right_d = add_products(tile.right_d, dy_d, w_right);
        tile.right_e = add_products(tile.right_e, dy_e, w_right);
        tile.right_f = add_products(tile.right_f, dy_f, w_right);
        tile.right_g = add_products(tile.right_g, dy_g, w_right);
        tile.right_h = add_products(tile.right_h, dy_h, w_right);
    }
    for (var i = 0u; i < 16u; i += 1u) {
        store_input_rows(first_row + i % 8u * 8u, k + i / 8u * 32u, tile.left_a);
        tile = shift(tile, Rows());
    }
}
