// Weight gradient of a dense layer in register tiles of 64 by 64 whose operands are shared by
// subgroup broadcast, for adapters with subgroups of 8 where a load by single lanes is dear: 512 vector
// multiply-adds for every 16 loads, twice as many as in the tiles of 32 (matmul_weight_subgroup.wgsl).
//
// dw[k,n] = sum over rows of x[m,k] dy[m,n]
//
// x (m, k); dy (m, n); dw: a window of panels, (panels, k, 32), zero behind column n. k is a multiple
// of 4. A workgroup is one subgroup and owns 64 inputs by two panels; lane l owns four columns of
// either panel, of all inputs, and loads inputs 4 l ... 4 l + 3 of either half.

struct Params {
    m: u32,
    k: u32,
    n: u32,
    first_panel: u32,
    panels: u32,
    gain1: f32,
    gain2: f32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<f32>>;

fn finish_input(panel: u32, k: u32, lane: u32, gradient: vec4<f32>) {
    if k < params.k {
        dw[(panel * params.k + k) * 8u + lane] = gradient;
    }
}

/// Stores inputs k, k + 4, ... k + 28 of the tile.
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

/// Four columns of dy at one row; those behind the last count for nothing.
fn load_gradient(row: u32, column: u32) -> vec4<f32> {
    let columns = column + vec4<u32>(0u, 1u, 2u, 3u);
    let at = row * params.n + min(columns, vec4<u32>(params.n - 1u));
    let four = vec4<f32>(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
    return select(vec4<f32>(), four, columns < vec4<u32>(params.n));
}

@compute @workgroup_size(8)
fn matmul_backward_weight_subgroup_wide(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    // Panels are fastest in the grid: they read the same x, whose rows lie far apart.
    let i = workgroup_index(group, groups);
    let pairs = (params.panels + 1u) / 2u;
    let first_k = i / pairs * 64u;
    let panel = i % pairs * 2u;
    let column = (params.first_panel + panel) * 32u + 4u * lane;
    // Inputs behind the last load the last: their gradients are not stored.
    let near = min(first_k + 4u * lane, params.k - 4u) / 4u;
    let far = min(first_k + 4u * lane + 32u, params.k - 4u) / 4u;
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
    for (var row = 0u; row < params.m; row += 1u) {
        let v = x[row * (params.k / 4u) + near];
        let u = x[row * (params.k / 4u) + far];
        let dy_left = load_gradient(row, column);
        let dy_right = load_gradient(row, column + 32u);
        outer_product(&left_a, v.x, dy_left);
        outer_product(&right_a, v.x, dy_right);
        outer_product(&left_b, v.y, dy_left);
        outer_product(&right_b, v.y, dy_right);
        outer_product(&left_c, v.z, dy_left);
        outer_product(&right_c, v.z, dy_right);
        outer_product(&left_d, v.w, dy_left);
        outer_product(&right_d, v.w, dy_right);
        outer_product(&left_e, u.x, dy_left);
        outer_product(&right_e, u.x, dy_right);
        outer_product(&left_f, u.y, dy_left);
        outer_product(&right_f, u.y, dy_right);
        outer_product(&left_g, u.z, dy_left);
        outer_product(&right_g, u.z, dy_right);
        outer_product(&left_h, u.w, dy_left);
        outer_product(&right_h, u.w, dy_right);
    }
    finish_rows(panel, first_k, lane, left_a);
    finish_rows(panel, first_k + 1u, lane, left_b);
    finish_rows(panel, first_k + 2u, lane, left_c);
    finish_rows(panel, first_k + 3u, lane, left_d);
    finish_rows(panel, first_k + 32u, lane, left_e);
    finish_rows(panel, first_k + 33u, lane, left_f);
    finish_rows(panel, first_k + 34u, lane, left_g);
    finish_rows(panel, first_k + 35u, lane, left_h);
    if panel + 1u < params.panels {
        finish_rows(panel + 1u, first_k, lane, right_a);
        finish_rows(panel + 1u, first_k + 1u, lane, right_b);
        finish_rows(panel + 1u, first_k + 2u, lane, right_c);
        finish_rows(panel + 1u, first_k + 3u, lane, right_d);
        finish_rows(panel + 1u, first_k + 32u, lane, right_e);
        finish_rows(panel + 1u, first_k + 33u, lane, right_f);
        finish_rows(panel + 1u, first_k + 34u, lane, right_g);
        finish_rows(panel + 1u, first_k + 35u, lane, right_h);
    }
}
