// matmul of a dense layer in tiles over workgroup memory (matmul_shared_tile.wgsl), for GPUs.
//
// forward:        y = relu(bias + x w); with splits > 1 y is (splits, m, n) and holds the partial
//                 sums over k_chunk inputs each, without bias and ReLU.
// backward input: grad_x = (grad_x, if accumulating) + dy w^T over the window's columns, zero where the ReLU
//                 before (relu_mask) was closed.
//
// operand: x (m, k) or dy (m, n); result: y (m, n) or grad_x (m, k); relu_mask (m, k); bias (n); w: a window
// of the kernel's panels, (panels, k, 32), panel p holding columns 32 (first_panel + p) ... of the (k, n)
// kernel, zero behind column n.
//
// A workgroup computes TILE_LINES rows of y by TILE_VECTORS / 8 panels, for one share of k; or as many rows
// of grad_x by 4 TILE_VECTORS inputs. Lines of the tile are rows, of which an invocation owns every
// GROUP_LINES-th: it reads them four terms at a time, and the columns of those terms once for all lines.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> operand: array<Stored>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> result: array<Stored>;

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<Stored>;

/// Vectors of four terms that a step takes of each line.
override QUADS: u32 = DEPTH / 4u;
/// Steps through workgroup memory: they keep its stores free of bank conflicts.
override LINE_STRIDE: u32 = TILE_LINES + 32u / DEPTH;
override INPUT_STRIDE: u32 = TILE_VECTORS + 2u;
override QUAD_STRIDE: u32 = 4u * INPUT_STRIDE + 1u;
// naga wants a name for what an array's length is.
override LINES: u32 = QUADS * LINE_STRIDE;
override COLUMNS: u32 = QUADS * QUAD_STRIDE;

/// Line l at four terms q: lines[q * LINE_STRIDE + l].
var<workgroup> lines: array<vec4<f32>, LINES>;
/// Forward, vector v of columns at term t: columns[t * TILE_VECTORS + v]. Backward input, input 4 v + i at four
/// terms q: columns[q * QUAD_STRIDE + i * INPUT_STRIDE + v].
var<workgroup> columns: array<vec4<f32>, COLUMNS>;

/// Where an invocation loads of a row of `length` elements, in Stored; of those behind the last it loads the last.
fn row_start(row: u32, length: u32, local: u32) -> u32 {
    return (min(row, params.m - 1u) * length + local % QUADS * 4u) / UNIT;
}

/// How many terms the first step takes, so that all others take DEPTH and need no bounds.
fn first_count(terms: u32) -> u32 {
    return (terms + DEPTH - 1u) % DEPTH + 1u;
}

fn stage_lines(loaded: Loaded, local: u32) {
    let to = local % QUADS * LINE_STRIDE + local / QUADS;
    lines[to] = loaded.lines0;
    if TWO_OF_LINES {
        lines[to + INVOCATIONS / QUADS] = loaded.lines1;
    }
}

/// What four terms add to four columns; c[t]: the columns at term t.
fn add_four(sum: vec4<f32>, terms: vec4<f32>, c: mat4x4<f32>) -> vec4<f32> {
    var total = sum;
    total += terms.x * c[0];
    total += terms.y * c[1];
    total += terms.z * c[2];
    total += terms.w * c[3];
    return total;
}

fn add_line(sums: Pair, line: u32, left: mat4x4<f32>, right: mat4x4<f32>) -> Pair {
    let terms = lines[line];
    return Pair(add_four(sums.left, terms, left), add_four(sums.right, terms, right));
}

/// Adds four terms to all lines of an invocation, of which the first lies at `line`.
fn add_lines(sums: ptr<function, Sums>, line: u32, left: mat4x4<f32>, right: mat4x4<f32>) {
    (*sums).l0 = add_line((*sums).l0, line, left, right);
    (*sums).l1 = add_line((*sums).l1, line + GROUP_LINES, left, right);
    (*sums).l2 = add_line((*sums).l2, line + 2u * GROUP_LINES, left, right);
    (*sums).l3 = add_line((*sums).l3, line + 3u * GROUP_LINES, left, right);
    if LINE_VECTORS > 1u {
        (*sums).l4 = add_line((*sums).l4, line + 4u * GROUP_LINES, left, right);
        (*sums).l5 = add_line((*sums).l5, line + 5u * GROUP_LINES, left, right);
        (*sums).l6 = add_line((*sums).l6, line + 6u * GROUP_LINES, left, right);
        (*sums).l7 = add_line((*sums).l7, line + 7u * GROUP_LINES, left, right);
    }
}

/// Where an invocation loads at the beginning of a sum: fours of two rows, in Stored, and two vectors of w; and
/// where the sum ends.
struct Reads {
    row0: u32,
    row1: u32,
    column0: u32,
    column1: u32,
    end: u32,
}

/// Fours of the first `count` terms from `first` on, of two rows; zero behind them. Lanes run along the terms.
fn load_lines(reads: Reads, first: u32, count: u32, local: u32) -> Loaded {
    let place = local % QUADS * 4u;
    let inside = (count == DEPTH) | (place < count);
    let from_first = select(0u, first, inside);
    let left = i32(min(reads.end, from_first + count)) - i32(from_first + place);
    var loaded = Loaded();
    loaded.lines0 = select(vec4<f32>(), operand_four(reads.row0 + from_first / UNIT, left), inside);
    if TWO_OF_LINES {
        loaded.lines1 = select(vec4<f32>(), operand_four(reads.row1 + from_first / UNIT, left), inside);
    }
    return loaded;
}

/// One step of the forward sum: `count` inputs from k on.
fn load_forward(reads: Reads, k: u32, count: u32, local: u32) -> Loaded {
    var loaded = load_lines(reads, k, count, local);
    loaded.columns0 = w[reads.column0 + 8u * k];
    if TWO_OF_COLUMNS {
        loaded.columns1 = w[reads.column1 + 8u * k];
    }
    return loaded;
}

/// Vector v of the tile's columns at four terms from t on.
fn panel_terms(t: u32, v: u32) -> mat4x4<f32> {
    let at = t * TILE_VECTORS + v;
    return mat4x4<f32>(
        columns[at], columns[at + TILE_VECTORS], columns[at + 2u * TILE_VECTORS], columns[at + 3u * TILE_VECTORS],
    );
}

/// The columns of y that an invocation finishes, those of its vectors that come before `end`, in the share `split`.
struct Outputs {
    split: u32,
    left: u32,
    right: u32,
    end: u32,
    bias_left: vec4<f32>,
    bias_right: vec4<f32>,
}

/// bias at four columns; behind the last, that of the last.
fn bias_four(column: u32) -> vec4<f32> {
    let at = min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.n - 1u));
    return vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

/// Stores what of four sums of a row of the share comes before `end`.
fn store_columns(row: u32, column: u32, end: u32, sums: vec4<f32>, bias: vec4<f32>) {
    if column < end {
        var value = sums;
        if params.splits == 1u {
            value += bias;
            if params.relu != 0u {
                value = relu4(value);
            }
        }
        store_four((row * params.n + column) / UNIT, end - 1u - column, value);
    }
}

fn store_row(outputs: Outputs, row: u32, sums: Pair) {
    if outputs.split < params.splits && row < params.m {
        let line = outputs.split * params.m + row;
        store_columns(line, outputs.left, outputs.end, sums.left, outputs.bias_left);
        if COLUMN_VECTORS > 1u {
            store_columns(line, outputs.right, outputs.end, sums.right, outputs.bias_right);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_forward_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Row blocks are fastest in the grid: they read the same weights.
    let i = workgroup_index(group, groups);
    let row_blocks = (params.m + TILE_LINES - 1u) / TILE_LINES;
    let tile_panels = TILE_VECTORS / 8u;
    let panel_blocks = (params.panels + tile_panels - 1u) / tile_panels;
    let first_row = i % row_blocks * TILE_LINES;
    let first_panel = i / row_blocks % panel_blocks * tile_panels;
    let split = i / row_blocks / panel_blocks;
    let begin = min(split * params.k_chunk, params.k);
    let end = min((split + 1u) * params.k_chunk, params.k);

    // Lanes run along the panels' rows. A short sum has one step; behind its last input x is zero, and what it
    // meets there may be any weight.
    let terms = end - begin;
    let last = max(terms, 1u) - 1u;
    let panel = min(first_panel + local % TILE_VECTORS / 8u, params.panels - 1u) * params.k;
    let reads = Reads(
        row_start(first_row + local / QUADS, params.k, local),
        row_start(first_row + (local + INVOCATIONS) / QUADS, params.k, local),
        (panel + min(local / TILE_VECTORS, last)) * 8u + local % 8u,
        (panel + min((local + INVOCATIONS) / TILE_VECTORS, last)) * 8u + local % 8u,
        end,
    );

    let line = local / GROUP_COLUMNS;
    let vector = local % GROUP_COLUMNS;
    var sums = Sums();
    var count = first_count(terms);
    var loaded = load_forward(reads, select(0u, begin, terms > 0u), count, local);
    for (var k = begin; k < end;) {
        workgroupBarrier();
        stage_lines(loaded, local);
        columns[local] = loaded.columns0;
        if TWO_OF_COLUMNS {
            columns[local + INVOCATIONS] = loaded.columns1;
        }
        workgroupBarrier();
        k += count;
        count = DEPTH;
        // Behind the last step the first inputs are loaded once more: a branch would keep registers apart.
        loaded = load_forward(reads, select(0u, k, k < end), DEPTH, local);
        for (var t = 0u; t < DEPTH; t += 4u) {
            let left = panel_terms(t, vector);
            var right = mat4x4<f32>();
            if COLUMN_VECTORS > 1u {
                right = panel_terms(t, vector + GROUP_COLUMNS);
            }
            add_lines(&sums, t / 4u * LINE_STRIDE + line, left, right);
        }
    }

    let column = (params.first_panel + first_panel) * 32u + 4u * vector;
    let far = column + 4u * GROUP_COLUMNS;
    let outputs = Outputs(
        split, column, far, min((params.first_panel + params.panels) * 32u, params.n), bias_four(column), bias_four(far),
    );
    let row = first_row + line;
    store_row(outputs, row, sums.l0);
    store_row(outputs, row + GROUP_LINES, sums.l1);
    store_row(outputs, row + 2u * GROUP_LINES, sums.l2);
    store_row(outputs, row + 3u * GROUP_LINES, sums.l3);
    if LINE_VECTORS > 1u {
        store_row(outputs, row + 4u * GROUP_LINES, sums.l4);
        store_row(outputs, row + 5u * GROUP_LINES, sums.l5);
        store_row(outputs, row + 6u * GROUP_LINES, sums.l6);
        store_row(outputs, row + 7u * GROUP_LINES, sums.l7);
    }
}

/// One step of the sum of an input gradient: `count` columns from `column` on. Lanes run along the columns.
fn load_backward(reads: Reads, column: u32, count: u32, local: u32) -> Loaded {
    var loaded = load_lines(reads, column, count, local);
    // Behind the last column dy is zero; there are weights up to the end of its panel.
    let term = column + local % QUADS * 4u;
    let panel = (term / 32u - params.first_panel) * params.k * 8u + term % 32u / 4u;
    loaded.columns0 = w[panel + reads.column0];
    if TWO_OF_COLUMNS {
        loaded.columns1 = w[panel + reads.column1];
    }
    return loaded;
}

/// Each vector holds an input at four terms.
fn stage_inputs(loaded: Loaded, local: u32) {
    let to = local % QUADS * QUAD_STRIDE;
    let input = local / QUADS;
    columns[to + input % 4u * INPUT_STRIDE + input / 4u] = loaded.columns0;
    if TWO_OF_COLUMNS {
        let second = input + INVOCATIONS / QUADS;
        columns[to + second % 4u * INPUT_STRIDE + second / 4u] = loaded.columns1;
    }
}

/// Four terms q of the tile's inputs 4 v ... 4 v + 3.
fn input_terms(q: u32, v: u32) -> mat4x4<f32> {
    let at = q * QUAD_STRIDE + v;
    return transpose(mat4x4<f32>(
        columns[at], columns[at + INPUT_STRIDE], columns[at + 2u * INPUT_STRIDE], columns[at + 3u * INPUT_STRIDE],
    ));
}

/// What grad_x holds at four inputs of a row before the sum. Behind the last row and input it is what another
/// place holds: nothing is stored there.
fn before_four(row: u32, k: u32) -> vec4<f32> {
    let near = select(0u, k, k < params.k);
    return result_four((min(row, params.m - 1u) * params.k + near) / UNIT, params.k - 1u - near);
}

fn before(row: u32, k: u32) -> Pair {
    var held = Pair();
    held.left = before_four(row, k);
    if COLUMN_VECTORS > 1u {
        held.right = before_four(row, k + 4u * GROUP_COLUMNS);
    }
    return held;
}

/// Writes four inputs of a row of grad_x.
fn store_inputs(row: u32, k: u32, sums: vec4<f32>) {
    if row < params.m && k < params.k {
        let at = (row * params.k + k) / UNIT;
        let last = params.k - 1u - k;
        var value = sums;
        if params.relu != 0u {
            value = select(vec4<f32>(), value, mask_four(at, last) > vec4<f32>());
        }
        store_four(at, last, value);
    }
}

fn store_gradients(row: u32, k: u32, sums: Pair) {
    store_inputs(row, k, sums.left);
    if COLUMN_VECTORS > 1u {
        store_inputs(row, k + 4u * GROUP_COLUMNS, sums.right);
    }
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_backward_input_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups);
    let row_blocks = (params.m + TILE_LINES - 1u) / TILE_LINES;
    let first_row = i % row_blocks * TILE_LINES;
    let first_k = i / row_blocks * 4u * TILE_VECTORS;
    let begin = params.first_panel * 32u;
    let end = min(begin + params.panels * 32u, params.n);

    let input = first_k + local / QUADS;
    let last = params.k - 1u;
    let reads = Reads(
        row_start(first_row + local / QUADS, params.n, local),
        row_start(first_row + (local + INVOCATIONS) / QUADS, params.n, local),
        min(input, last) * 8u,
        min(input + INVOCATIONS / QUADS, last) * 8u,
        end,
    );

    let line = local / GROUP_COLUMNS;
    let vector = local % GROUP_COLUMNS;
    let row = first_row + line;
    let k = first_k + 4u * vector;
    // The sum goes on from what grad_x holds, so that windows of panels continue one chain.
    var sums = Sums();
    if params.accumulate != 0u {
        sums.l0 = before(row, k);
        sums.l1 = before(row + GROUP_LINES, k);
        sums.l2 = before(row + 2u * GROUP_LINES, k);
        sums.l3 = before(row + 3u * GROUP_LINES, k);
        if LINE_VECTORS > 1u {
            sums.l4 = before(row + 4u * GROUP_LINES, k);
            sums.l5 = before(row + 5u * GROUP_LINES, k);
            sums.l6 = before(row + 6u * GROUP_LINES, k);
            sums.l7 = before(row + 7u * GROUP_LINES, k);
        }
    }
    // Whole vectors of weights: the last one may be short, and dy is zero behind it.
    var count = first_count((end - begin + 3u) / 4u * 4u);
    var loaded = load_backward(reads, begin, count, local);
    for (var column = begin; column < end;) {
        workgroupBarrier();
        stage_lines(loaded, local);
        stage_inputs(loaded, local);
        workgroupBarrier();
        column += count;
        count = DEPTH;
        // As in the forward product.
        loaded = load_backward(reads, select(begin, column, column < end), DEPTH, local);
        for (var q = 0u; q < QUADS; q += 1u) {
            let left = input_terms(q, vector);
            var right = mat4x4<f32>();
            if COLUMN_VECTORS > 1u {
                right = input_terms(q, vector + GROUP_COLUMNS);
            }
            add_lines(&sums, q * LINE_STRIDE + line, left, right);
        }
    }

    store_gradients(row, k, sums.l0);
    store_gradients(row + GROUP_LINES, k, sums.l1);
    store_gradients(row + 2u * GROUP_LINES, k, sums.l2);
    store_gradients(row + 3u * GROUP_LINES, k, sums.l3);
    if LINE_VECTORS > 1u {
        store_gradients(row + 4u * GROUP_LINES, k, sums.l4);
        store_gradients(row + 5u * GROUP_LINES, k, sums.l5);
        store_gradients(row + 6u * GROUP_LINES, k, sums.l6);
        store_gradients(row + 7u * GROUP_LINES, k, sums.l7);
    }
}
