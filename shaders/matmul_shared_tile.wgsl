
// The tiles in which GPUs compute the products of a dense layer over workgroup memory, and what an
// invocation sums of one. Their shape is the variant's.
//
// A step of a sum takes DEPTH terms: each invocation loads one or two vectors of either operand while it
// sums those of the step before, and then stages them. GROUP_LINES by GROUP_COLUMNS invocations own
// LINE_VECTORS times four lines by COLUMN_VECTORS times four columns each. Invocations that follow one
// another run along the columns: where there are eight of them, thirty-two read 4 lines and 8 vectors of
// columns, 128 bytes in a row at most.

override DEPTH: u32;
override GROUP_LINES: u32;
override GROUP_COLUMNS: u32;
override LINE_VECTORS: u32;
override COLUMN_VECTORS: u32;

override INVOCATIONS: u32 = GROUP_LINES * GROUP_COLUMNS;
/// Lines of a tile, and vectors of four columns.
override TILE_LINES: u32 = 4u * LINE_VECTORS * GROUP_LINES;
override TILE_VECTORS: u32 = COLUMN_VECTORS * GROUP_COLUMNS;
/// Does an invocation load two vectors of an operand for a step, not one?
override TWO_OF_LINES: bool = TILE_LINES * DEPTH > 4u * INVOCATIONS;
override TWO_OF_COLUMNS: bool = TILE_VECTORS * DEPTH > INVOCATIONS;

/// One line of an invocation: four columns, and the four that lie 4 GROUP_COLUMNS further on, if it has them.
struct Pair {
    left: vec4<f32>,
    right: vec4<f32>,
}

/// The lines of an invocation; with one vector of lines it has no more than four.
struct Sums {
    l0: Pair,
    l1: Pair,
    l2: Pair,
    l3: Pair,
    l4: Pair,
    l5: Pair,
    l6: Pair,
    l7: Pair,
}

/// What an invocation has loaded for one step, on its way to workgroup memory: it hides the latency of memory
/// behind the sums of the step before.
struct Loaded {
    lines0: vec4<f32>,
    lines1: vec4<f32>,
    columns0: vec4<f32>,
    columns1: vec4<f32>,
}
