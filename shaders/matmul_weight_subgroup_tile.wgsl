
// The weight gradient of a dense layer as one subgroup of 8 computes it, 32 inputs by one panel, for
// the kernel that stores it and the one that spends it on an optimiser step. Both declare params, x
// (m, k) as vectors, operand: dy (m, n), and finish(weight, gradient) for each four weights.

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

/// Computes tile number i of the window and hands every gradient to finish.
fn weight_gradient(i: u32, lane: u32) {
    // Panels are fastest in the grid: they read the same x, whose rows lie far apart.
    let first_k = i / params.panels * 32u;
    let panel = i % params.panels;
    let column = (params.first_panel + panel) * 32u + 4u * lane;
    let inputs = min(first_k + 4u * lane, params.k - 4u) / 4u;
    var a = Rows();
    var b = Rows();
    var c = Rows();
    var d = Rows();
    // Rows of x lie far apart: the next is loaded while this one is multiplied.
    var v = x[inputs];
    var gradient = four_of_row(0u, column, params.n);
    for (var row = 0u; row < params.m; row += 1u) {
        let following = min(row + 1u, params.m - 1u);
        let next_v = x[following * (params.k / 4u) + inputs];
        let next_gradient = four_of_row(following * params.n, column, params.n);
        outer_product(&a, v.x, gradient);
        outer_product(&b, v.y, gradient);
        outer_product(&c, v.z, gradient);
        outer_product(&d, v.w, gradient);
        v = next_v;
        gradient = next_gradient;
    }
    finish_rows(panel, first_k, lane, a);
    finish_rows(panel, first_k + 1u, lane, b);
    finish_rows(panel, first_k + 2u, lane, c);
    finish_rows(panel, first_k + 3u, lane, d);
}
