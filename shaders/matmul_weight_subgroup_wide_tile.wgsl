
// The weight gradient of a dense layer as one subgroup of 8 computes it, 64 inputs by two panels: 2,048
// vector multiply-adds for 16 loads of vectors, half as many for each as in the tiles of 32
// (matmul_weight_subgroup_tile.wgsl), whose place it takes for the same kernels.
//
// Lane l owns four columns of either panel, of all inputs, and loads inputs 4 l ... 4 l + 3 of either half.

/// Hands inputs k, k + 4, ... k + 28 of the tile on.
fn finish_rows(panel: u32, k: u32, lane: u32, rows: Rows) {
    finish_input(panel, k, lane, rows.r0);
    finish_input(panel, k + 4u, lane, rows.r1);
    finish_input(panel, k + 8u, lane, rows.r2);
    finish_input(panel, k + 12u, lane, rows.r3);
    finish_input(panel, k + 16u, lane, rows.r4);
    finish_input(panel, k + 20u, lane, rows.r5);
    finish_input(panel, k + 24u, lane, rows.r6);
    finish_input(panel, k + 28u, lane, rows.r7);
}

fn finish_input(panel: u32, k: u32, lane: u32, gradient: vec4<f32>) {
    if k < params.k {
        finish((panel * params.k + k) * 8u + lane, gradient);
    }
}

/// Four columns of dy at four rows; a row behind the last counts for nothing.
fn load_terms(row: u32, column: u32) -> Terms {
    return Terms(
        load_gradient(row, column),
        load_gradient(row + 1u, column),
        load_gradient(row + 2u, column),
        load_gradient(row + 3u, column),
    );
}

fn load_gradient(row: u32, column: u32) -> vec4<f32> {
    let four = four_of_row(min(row, params.m - 1u) * params.n, column, params.n);
    return select(vec4<f32>(), four, row < params.m);
}

/// The inputs 4 i ... 4 i + 3 of x, each at four rows.
fn four_inputs(row: u32, i: u32) -> Terms {
    let last = params.m - 1u;
    let stride = params.k / 4u;
    let a = x[row * stride + i];
    let b = x[min(row + 1u, last) * stride + i];
    let c = x[min(row + 2u, last) * stride + i];
    let d = x[min(row + 3u, last) * stride + i];
    return Terms(
        vec4<f32>(a.x, b.x, c.x, d.x),
        vec4<f32>(a.y, b.y, c.y, d.y),
        vec4<f32>(a.z, b.z, c.z, d.z),
        vec4<f32>(a.w, b.w, c.w, d.w),
    );
}

/// Computes tile number i of the window and hands every gradient to finish.
fn weight_gradient(i: u32, lane: u32) {
    // Panels are fastest in the grid: they read the same x, whose rows lie far apart.
    let pairs = (params.panels + 1u) / 2u;
    let first_k = i / pairs * 64u;
    let panel = i % pairs * 2u;
    let column = (params.first_panel + panel) * 32u + 4u * lane;
    // Inputs behind the last load the last: their gradients are not handed on.
    let near = min(first_k + 4u * lane, params.k - 4u) / 4u;
    let far = min(first_k + 4u * lane + 32u, params.k - 4u) / 4u;
    var tile = Tile();
    for (var row = 0u; row < params.m; row += 4u) {
        let x_near = four_inputs(row, near);
        let x_far = four_inputs(row, far);
        let dy_left = load_terms(row, column);
        let dy_right = load_terms(row, column + 32u);
        tile.left_a = add_products(tile.left_a, x_near.t0, dy_left);
        tile.left_b = add_products(tile.left_b, x_near.t1, dy_left);
        tile.left_c = add_products(tile.left_c, x_near.t2, dy_left);
        tile.left_d = add_products(tile.left_d, x_near.t3, dy_left);
        tile.left_e = add_products(tile.left_e, x_far.t0, dy_left);
        tile.left_f = add_products(tile.left_f, x_far.t1, dy_left);
        tile.left_g = add_products(tile.left_g, x_far.t2, dy_left);
        tile.left_h = add_products(tile.left_h, x_far.t3, dy_left);
        tile.right_a = add_products(tile.right_a, x_near.t0, dy_right);
        tile.right_b = add_products(tile.right_b, x_near.t1, dy_right);
        tile.right_c = add_products(tile.right_c, x_near.t2, dy_right);
        tile.right_d = add_products(tile.right_d, x_near.t3, dy_right);
        tile.right_e = add_products(tile.right_e, x_far.t0, dy_right);
        tile.right_f = add_products(tile.right_f, x_far.t1, dy_right);
        tile.right_g = add_products(tile.right_g, x_far.t2, dy_right);
        tile.right_h = add_products(tile.right_h, x_far.t3, dy_right);
    }
    // A half's Rows hold every fourth of 32 inputs: four of them, then those of the next 32.
    for (var i = 0u; i < select(8u, 16u, panel + 1u < params.panels); i += 1u) {
        finish_rows(panel + i / 8u, first_k + i % 8u / 4u * 32u + i % 4u, lane, tile.left_a);
        tile = shift(tile, Rows());
    }
}
