// matmul of a dense layer in tiles of 64 by 64 over workgroup memory (matmul_shared_tile.wgsl), for GPUs.
//
// forward:        y = relu(bias + x w); with splits > 1 y is (splits, m, n) and holds the partial
//                 sums over k_chunk inputs each, without bias and ReLU.
// backward input: grad_x = (grad_x, if accumulating) + dy w^T over the window's columns, zero where the ReLU
//                 before (relu_mask) was closed.
//
// x, grad_x, relu_mask (m, k); y, dy (m, n); bias (n); w: a window of the kernel's panels, (panels, k, 32),
// panel p holding columns 32 (first_panel + p) ... of the (k, n) kernel, zero behind column n.
//
// Forward: a workgroup computes 64 rows of y by two panels, for one share of k. Backward input: 64
// rows of grad_x by 64 inputs. Lines of the tile are rows; an invocation owns 8 rows by 4 columns.

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w_vectors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<f32>;

/// x at (row, k); zero outside.
fn x_at(row: u32, k: u32, end: u32) -> f32 {
    let inside = (row < params.m) & (k < end);
    return select(0.0, x[select(0u, row * params.k + k, inside)], inside);
}

/// Rows row + 16 i of x at input k.
fn load_x(row: u32, k: u32, end: u32) -> vec4<f32> {
    return vec4<f32>(
        x_at(row, k, end), x_at(row + 16u, k, end), x_at(row + 32u, k, end), x_at(row + 48u, k, end),
    );
}

/// Four neighbouring weights of a panel at input k; zero outside.
fn load_panel(panel: u32, k: u32, end: u32, vector: u32) -> vec4<f32> {
    let inside = (panel < params.panels) & (k < end);
    let at = select(0u, (panel * params.k + k) * 8u + vector, inside);
    return select(vec4<f32>(), w_vectors[at], inside);
}

/// One step of the sum from input k on. Lanes run along the inputs of x and along the panels' rows.
fn load_forward(row: u32, panel: u32, k: u32, end: u32, local: u32) -> Loaded {
    let input = k + local % 16u;
    let line = row + local / 16u;
    return Loaded(
        load_x(line, input, end),
        load_x(line + 8u, input, end),
        load_panel(panel, k + local / 8u, end, local % 8u),
        load_panel(panel + 1u, k + local / 8u, end, local % 8u),
    );
}

/// Writes four neighbouring columns of one row of y.
fn store_forward(split: u32, row: u32, column: u32, sums: vec4<f32>) {
    if split < params.splits && row < params.m {
        for (var i = 0u; i < 4u; i += 1u) {
            if column + i < params.n {
                var value = sums[i];
                if params.splits == 1u {
                    value += bias[column + i];
                    if params.relu != 0u {
                        value = relu(value);
                    }
                }
                y[(split * params.m + row) * params.n + column + i] = value;
            }
        }
    }
}

@compute @workgroup_size(128)
fn matmul_forward_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Row blocks are fastest in the grid: they read the same weights.
    let i = workgroup_index(group, groups);
    let row_blocks = (params.m + 63u) / 64u;
    let panel_pairs = (params.panels + 1u) / 2u;
    let first_row = i % row_blocks * 64u;
    let panel = i / row_blocks % panel_pairs * 2u;
    let split = i / row_blocks / panel_pairs;
    let begin = min(split * params.k_chunk, params.k);
    let end = min((split + 1u) * params.k_chunk, params.k);
    // Inputs run along lanes in x, the panels' vectors in w.
    let to_line = local % 16u * STRIDE + local / 16u;
    let to_column = local / 8u * STRIDE + local % 8u;
    var sums = Sums();
    var loaded = load_forward(first_row, panel, begin, end, local);
    for (var k = begin; k < end; k += DEPTH) {
        workgroupBarrier();
        lines[to_line] = loaded.lines0;
        lines[to_line + 8u] = loaded.lines1;
        columns[to_column] = loaded.columns0;
        columns[to_column + 8u] = loaded.columns1;
        workgroupBarrier();
        loaded = load_forward(first_row, panel, k + DEPTH, end, local);
        add_step(&sums, local);
    }
    let row = first_row + local / 16u;
    // A window's last pair may be a single panel.
    let inside = panel + local % 16u / 8u < params.panels;
    let column = select(params.n, (params.first_panel + panel) * 32u + local % 16u * 4u, inside);
    store_forward(split, row, column, sums.r0);
    store_forward(split, row + 16u, column, sums.r1);
    store_forward(split, row + 32u, column, sums.r2);
    store_forward(split, row + 48u, column, sums.r3);
    store_forward(split, row + 8u, column, sums.s0);
    store_forward(split, row + 24u, column, sums.s1);
    store_forward(split, row + 40u, column, sums.s2);
    store_forward(split, row + 56u, column, sums.s3);
}

/// dy at (row, column); zero outside.
fn dy_at(row: u32, column: u32, end: u32) -> f32 {
    let inside = (row < params.m) & (column < end);
    return select(0.0, dy[select(0u, row * params.n + column, inside)], inside);
}

/// Rows row + 16 i of dy at a column.
fn load_dy(row: u32, column: u32, end: u32) -> vec4<f32> {
    return vec4<f32>(
        dy_at(row, column, end), dy_at(row + 16u, column, end),
        dy_at(row + 32u, column, end), dy_at(row + 48u, column, end),
    );
}

/// The weight of an input and a column; zero outside.
fn w_at(k: u32, column: u32, end: u32) -> f32 {
    let inside = (k < params.k) & (column < end);
    let panel = column / 32u - params.first_panel;
    let at = (panel * params.k + k) * 32u + column % 32u;
    return select(0.0, w[select(0u, at, inside)], inside);
}

/// Inputs k + 16 i of w at a column.
fn load_w(k: u32, column: u32, end: u32) -> vec4<f32> {
    return vec4<f32>(
        w_at(k, column, end), w_at(k + 16u, column, end), w_at(k + 32u, column, end), w_at(k + 48u, column, end),
    );
}

/// One step of the sum from a column on. Lanes run along the columns.
fn load_backward(row: u32, k: u32, column: u32, end: u32, local: u32) -> Loaded {
    let term = column + local % 16u;
    let line = local / 16u;
    return Loaded(
        load_dy(row + line, term, end),
        load_dy(row + line + 8u, term, end),
        load_w(k + line, term, end),
        load_w(k + line + 8u, term, end),
    );
}

/// What grad_x holds at (row, k) before the sum; what lies outside holds nothing.
fn before_at(row: u32, k: u32) -> f32 {
    var value = 0.0;
    if params.accumulate != 0u && row < params.m && k < params.k {
        value = grad_x[row * params.k + k];
    }
    return value;
}

fn before(row: u32, k: u32) -> vec4<f32> {
    return vec4<f32>(
        before_at(row, k), before_at(row, k + 16u), before_at(row, k + 32u), before_at(row, k + 48u),
    );
}

/// Writes inputs k + 16 i of one row of grad_x.
fn store_input(row: u32, k: u32, sums: vec4<f32>) {
    for (var i = 0u; i < 4u; i += 1u) {
        if row < params.m && k + 16u * i < params.k {
            let at = row * params.k + k + 16u * i;
            var value = sums[i];
            if params.relu != 0u {
                value = select(0.0, value, relu_mask[at] > 0.0);
            }
            grad_x[at] = value;
        }
    }
}

@compute @workgroup_size(128)
fn matmul_backward_input_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups);
    let row_blocks = (params.m + 63u) / 64u;
    let first_row = i % row_blocks * 64u;
    let first_k = i / row_blocks * 64u;
    let row = first_row + local / 16u;
    let k = first_k + local % 16u;
    // The sum goes on from what grad_x holds, so that windows of panels continue one chain.
    var sums = Sums(
        before(row, k), before(row + 16u, k), before(row + 32u, k), before(row + 48u, k),
        before(row + 8u, k), before(row + 24u, k), before(row + 40u, k), before(row + 56u, k),
    );
    let begin = params.first_panel * 32u;
    let end = min(begin + params.panels * 32u, params.n);
    let to = local % 16u * STRIDE + local / 16u;
    var loaded = load_backward(first_row, first_k, begin, end, local);
    for (var column = begin; column < end; column += DEPTH) {
        workgroupBarrier();
        lines[to] = loaded.lines0;
        lines[to + 8u] = loaded.lines1;
        columns[to] = loaded.columns0;
        columns[to + 8u] = loaded.columns1;
        workgroupBarrier();
        loaded = load_backward(first_row, first_k, column + DEPTH, end, local);
        add_step(&sums, local);
    }
    store_input(row, k, sums.r0);
    store_input(row + 16u, k, sums.r1);
    store_input(row + 32u, k, sums.r2);
    store_input(row + 48u, k, sums.r3);
    store_input(row + 8u, k, sums.s0);
    store_input(row + 24u, k, sums.s1);
    store_input(row + 40u, k, sums.s2);
    store_input(row + 56u, k, sums.s3);
}
