
// The weight gradient of a dense layer in tiles of 64 by 64 over workgroup memory
// (matmul_shared_tile.wgsl), shared by the kernels that store it and that spend it: each defines x,
// dy and use_gradient(at, gradients), four gradients of the window from vector `at` on.
//
// gradient[k,n] = sum over rows of x[m,k] dy[m,n], zero behind column n
//
// A workgroup computes 64 inputs by two panels. Lines of the tile are inputs; an invocation owns 8
// inputs by 4 neighbouring columns.

@group(0) @binding(0) var<uniform> params: Params;

/// x at (row, k); zero outside.
fn x_at(row: u32, k: u32) -> f32 {
    let inside = (row < params.m) & (k < params.k);
    return select(0.0, x[select(0u, row * params.k + k, inside)], inside);
}

/// Inputs k + 16 i of one row of x.
fn load_x(row: u32, k: u32) -> vec4<f32> {
    return vec4<f32>(x_at(row, k), x_at(row, k + 16u), x_at(row, k + 32u), x_at(row, k + 48u));
}

/// dy at (row, column); zero outside.
fn dy_at(row: u32, column: u32) -> f32 {
    let inside = (row < params.m) & (column < params.n);
    return select(0.0, dy[select(0u, row * params.n + column, inside)], inside);
}

/// Four neighbouring columns of one row of dy.
fn load_dy(row: u32, column: u32) -> vec4<f32> {
    return vec4<f32>(dy_at(row, column), dy_at(row, column + 1u), dy_at(row, column + 2u), dy_at(row, column + 3u));
}

/// One step of the sum from a row on: lanes run along inputs and columns.
fn load_step(row: u32, k: u32, column: u32, local: u32) -> Loaded {
    let input = k + local % 16u;
    let first = column + local % 16u * 4u;
    let term = row + local / 16u;
    return Loaded(
        load_x(term, input),
        load_x(term + 8u, input),
        load_dy(term, first),
        load_dy(term + 8u, first),
    );
}

/// Hands on four gradients of one input.
fn use_input(panel: u32, k: u32, vector: u32, gradients: vec4<f32>) {
    if panel < params.panels && k < params.k {
        use_gradient((panel * params.k + k) * 8u + vector, gradients);
    }
}

/// Computes the tile of a workgroup.
fn run(group: u32, local: u32) {
    // Pairs of panels are fastest in the grid: they read the same x, whose rows lie far apart.
    let panel_pairs = (params.panels + 1u) / 2u;
    let first_k = group / panel_pairs * 64u;
    let first_panel = group % panel_pairs * 2u;
    let first_column = (params.first_panel + first_panel) * 32u;
    let to = local / 16u * STRIDE + local % 16u;
    var sums = Sums();
    var loaded = load_step(0u, first_k, first_column, local);
    for (var row = 0u; row < params.m; row += DEPTH) {
        workgroupBarrier();
        lines[to] = loaded.lines0;
        lines[to + 8u * STRIDE] = loaded.lines1;
        columns[to] = loaded.columns0;
        columns[to + 8u * STRIDE] = loaded.columns1;
        workgroupBarrier();
        loaded = load_step(row + DEPTH, first_k, first_column, local);
        add_step(&sums, local);
    }
    // A window's last pair may be a single panel.
    let panel = first_panel + local % 16u / 8u;
    let vector = local % 8u;
    let k = first_k + local / 16u;
    use_input(panel, k, vector, sums.r0);
    use_input(panel, k + 16u, vector, sums.r1);
    use_input(panel, k + 32u, vector, sums.r2);
    use_input(panel, k + 48u, vector, sums.r3);
    use_input(panel, k + 8u, vector, sums.s0);
    use_input(panel, k + 24u, vector, sums.s1);
    use_input(panel, k + 40u, vector, sums.s2);
    use_input(panel, k + 56u, vector, sums.s3);
}
