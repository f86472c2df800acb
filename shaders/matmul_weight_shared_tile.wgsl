
// The weight gradient of a dense layer in tiles over workgroup memory (matmul_shared_tile.wgsl), shared by
// the kernels that store it and that spend it: each defines x and dy.
//
// gradient[k,n] = sum over rows of x[m,k] dy[m,n], zero behind column n
//
// A workgroup computes TILE_LINES inputs by TILE_VECTORS / 8 panels. Lines of the tile are inputs, of which an
// invocation owns four neighbours, and the four that lie 4 GROUP_LINES further on, if it has them.

@group(0) @binding(0) var<uniform> params: Params;

/// Vectors of four lines.
override LINE_GROUPS: u32 = LINE_VECTORS * GROUP_LINES;
override LINES: u32 = DEPTH * LINE_GROUPS;
override COLUMNS: u32 = DEPTH * TILE_VECTORS;

/// Vector v of lines at term t: lines[t * LINE_GROUPS + v]; columns alike, with TILE_VECTORS.
var<workgroup> lines: array<vec4<f32>, LINES>;
var<workgroup> columns: array<vec4<f32>, COLUMNS>;

/// Where an invocation loads at the beginning of a sum: elements of x and of dy, two of each in rows of their own;
/// and how many neighbours of them come behind.
struct Reads {
    x0: u32,
    x1: u32,
    last_x: u32,
    dy0: u32,
    dy1: u32,
    last_dy: u32,
}

/// One step of the sum: `count` rows from `row` on. Lanes run along inputs and columns.
fn load_step(reads: Reads, row: u32, count: u32, local: u32) -> Loaded {
    let x_row = row * params.k;
    let dy_row = row * params.n;
    let line = local / LINE_GROUPS;
    let second = (local + INVOCATIONS) / LINE_GROUPS;
    var loaded = Loaded();
    let four = x_four((x_row + reads.x0) / UNIT, reads.last_x);
    loaded.lines0 = select(vec4<f32>(), four, (count == DEPTH) | (line < count));
    loaded.columns0 = dy_four((dy_row + reads.dy0) / UNIT, reads.last_dy);
    if TWO_OF_LINES {
        let more = x_four((x_row + reads.x1) / UNIT, reads.last_x);
        loaded.lines1 = select(vec4<f32>(), more, (count == DEPTH) | (second < count));
    }
    if TWO_OF_COLUMNS {
        loaded.columns1 = dy_four((dy_row + reads.dy1) / UNIT, reads.last_dy);
    }
    return loaded;
}

fn stage(loaded: Loaded, local: u32) {
    lines[local] = loaded.lines0;
    columns[local] = loaded.columns0;
    if TWO_OF_LINES {
        lines[local + INVOCATIONS] = loaded.lines1;
    }
    if TWO_OF_COLUMNS {
        columns[local + INVOCATIONS] = loaded.columns1;
    }
}

fn add_line(sums: Pair, input: f32, left: vec4<f32>, right: vec4<f32>) -> Pair {
    return Pair(sums.left + input * left, sums.right + input * right);
}

/// Adds a term, whose vectors begin at `line` and `column`.
fn add_term(sums: ptr<function, Sums>, line: u32, column: u32) {
    let left = columns[column];
    var right = vec4<f32>();
    if COLUMN_VECTORS > 1u {
        right = columns[column + GROUP_COLUMNS];
    }
    let inputs = lines[line];
    (*sums).l0 = add_line((*sums).l0, inputs.x, left, right);
    (*sums).l1 = add_line((*sums).l1, inputs.y, left, right);
    (*sums).l2 = add_line((*sums).l2, inputs.z, left, right);
    (*sums).l3 = add_line((*sums).l3, inputs.w, left, right);
    if LINE_VECTORS > 1u {
        let more = lines[line + GROUP_LINES];
        (*sums).l4 = add_line((*sums).l4, more.x, left, right);
        (*sums).l5 = add_line((*sums).l5, more.y, left, right);
        (*sums).l6 = add_line((*sums).l6, more.z, left, right);
        (*sums).l7 = add_line((*sums).l7, more.w, left, right);
    }
}

/// The tile of a workgroup: its first input, and its first panel in the window.
struct Tile {
    k: u32,
    panel: u32,
}

/// Pairs of panels are fastest in the grid: they read the same x, whose rows lie far apart.
fn tile_of(group: u32) -> Tile {
    let tile_panels = TILE_VECTORS / 8u;
    let panel_blocks = (params.panels + tile_panels - 1u) / tile_panels;
    return Tile(group / panel_blocks * TILE_LINES, group % panel_blocks * tile_panels);
}

/// A short sum has one step; behind its last row x is zero, and what it meets there may be any gradient. What lies
/// behind the last input or column is not handed on.
fn reads_of(tile: Tile, local: u32) -> Reads {
    let k = tile.k + 4u * (local % LINE_GROUPS);
    let column = (params.first_panel + tile.panel) * 32u + 4u * (local % TILE_VECTORS);
    let near_k = select(0u, k, k < params.k);
    let near_column = select(0u, column, column < params.n);
    let last = params.m - 1u;
    return Reads(
        min(local / LINE_GROUPS, last) * params.k + near_k,
        min((local + INVOCATIONS) / LINE_GROUPS, last) * params.k + near_k,
        params.k - 1u - near_k,
        min(local / TILE_VECTORS, last) * params.n + near_column,
        min((local + INVOCATIONS) / TILE_VECTORS, last) * params.n + near_column,
        params.n - 1u - near_column,
    );
}

/// The sums of an invocation.
fn sum_up(tile: Tile, local: u32) -> Sums {
    let reads = reads_of(tile, local);
    let line = local / GROUP_COLUMNS;
    let column = local % GROUP_COLUMNS;
    var sums = Sums();
    // The first step takes so many rows that all others take DEPTH, which need no bounds.
    var count = (params.m - 1u) % DEPTH + 1u;
    var loaded = load_step(reads, 0u, count, local);
    for (var row = 0u; row < params.m;) {
        workgroupBarrier();
        stage(loaded, local);
        workgroupBarrier();
        row += count;
        count = DEPTH;
        // Behind the last step the first rows are loaded once more: a branch would keep registers apart.
        loaded = load_step(reads, select(0u, row, row < params.m), DEPTH, local);
        for (var t = 0u; t < DEPTH; t += 4u) {
            add_term(&sums, t * LINE_GROUPS + line, t * TILE_VECTORS + column);
            add_term(&sums, (t + 1u) * LINE_GROUPS + line, (t + 1u) * TILE_VECTORS + column);
            add_term(&sums, (t + 2u) * LINE_GROUPS + line, (t + 2u) * TILE_VECTORS + column);
            add_term(&sums, (t + 3u) * LINE_GROUPS + line, (t + 3u) * TILE_VECTORS + column);
        }
    }
    return sums;
}

/// Where an invocation's gradients belong: the vector of the window that holds its first line's left ones,
/// and which of them exist.
struct Place {
    at: u32,
    k: u32,
    panel: u32,
    column: u32,
}

fn place_of(tile: Tile, local: u32) -> Place {
    let vector = local % GROUP_COLUMNS;
    let panel = tile.panel + vector / 8u;
    let k = tile.k + 4u * (local / GROUP_COLUMNS);
    let column = (params.first_panel + tile.panel) * 32u + 4u * vector;
    return Place((panel * params.k + k) * 8u + vector % 8u, k, panel, column);
}

/// Four gradients of a line and a side, 0 or 1: the vector of the window, whether the window has it, and what it is.
struct Gradient {
    at: u32,
    inside: bool,
    value: vec4<f32>,
}

fn gradient_of(place: Place, line: u32, side: u32, sums: vec4<f32>) -> Gradient {
    let further = line % 4u + line / 4u * 4u * GROUP_LINES;
    let panels = side * GROUP_COLUMNS / 8u;
    let inside = (place.k + further < params.k) & (place.panel + panels < params.panels);
    let columns = place.column + side * 4u * GROUP_COLUMNS + vec4<u32>(0u, 1u, 2u, 3u);
    let value = select(vec4<f32>(), sums, columns < vec4<u32>(params.n));
    return Gradient(place.at + (panels * params.k + further) * 8u, inside, value);
}
