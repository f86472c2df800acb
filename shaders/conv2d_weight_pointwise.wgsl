// conv2d weight gradient of kernels of one pixel at stride 1, for GPUs: a product of the channels over all pixels.
//
// partial[s, ci, co] = sum over the pixels (n, p) of share s of x[n,ci,p] dy[n,co,p]; the last row of a share is the
// bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_in, w_in): channel ranges from *_first on.
// partial (splits, c_in + 1, c_out).
//
// A workgroup computes 32 input channels, the lines, by 32 output channels, the columns, of a share. A step takes 32
// pixels, of all images one behind the other: each invocation loads four pixels of a line and of a column while it sums
// those of the step before, and then stages them. An invocation owns every eighth line and column. Each of four teams
// sums a quarter of a step; at the end each adds up and stores one line of the four.

const TEAMS: u32 = 4u;
/// Invocations of a team along the lines and along the columns.
const GROUP: u32 = 8u;
const MEMBERS: u32 = GROUP * GROUP;
const INVOCATIONS: u32 = TEAMS * MEMBERS;
/// Lines and columns of a tile.
const TILE: u32 = 4u * GROUP;
/// Vectors of four pixels of a step, and of a team's.
const QUADS: u32 = INVOCATIONS / TILE;
const SHARE: u32 = QUADS / TEAMS;
const STEP: u32 = 4u * QUADS;
/// An odd number of vectors keeps stores to workgroup memory free of bank conflicts.
const STRIDE: u32 = TILE + 1u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

/// Line l at four pixels q: lines[q * STRIDE + l]; columns alike.
var<workgroup> lines: array<vec4<f32>, QUADS * STRIDE>;
var<workgroup> columns: array<vec4<f32>, QUADS * STRIDE>;

/// Four columns of the lines of an invocation.
struct Sums {
    l0: vec4<f32>,
    l1: vec4<f32>,
    l2: vec4<f32>,
    l3: vec4<f32>,
}

/// What an invocation has loaded for one step, on its way to workgroup memory.
struct Loaded {
    line: vec4<f32>,
    column: vec4<f32>,
}

/// Where a step is: images, and four pixels in them, in Stored.
struct At {
    image: Places,
    pixel: Places,
}

/// Where an invocation loads: its line and its column in the first image, and from an image to the next, in Stored.
struct Reads {
    line: u32,
    column: u32,
    x_image: u32,
    dy_image: u32,
}

/// An image of one channel, in Stored.
fn plane() -> u32 {
    return params.h_in * params.w_in / UNIT;
}

/// Pixel `first` of all images and its neighbours.
fn place(first: u32) -> At {
    let four = four_pixels(first, params.n * params.h_in * params.w_in) / UNIT;
    return At(four / plane(), four % plane());
}

/// A step on: so many whole images and pixels.
fn next(at: At, images: u32, pixels: u32) -> At {
    let pixel = at.pixel + pixels;
    let ended = pixel >= Places(plane());
    return At(
        at.image + images + select(Places(), Places(1u), ended),
        pixel - select(Places(), Places(plane()), ended),
    );
}

/// What lies behind the last channel is the last.
fn reads_of(ci: u32, co: u32) -> Reads {
    return Reads(
        (params.x_first + min(ci, params.c_in - 1u)) * plane(), (params.y_first + min(co, params.c_out - 1u)) * plane(),
        params.x_channels * plane(), params.y_channels * plane(),
    );
}

/// A step; of its four pixels the first `count` belong to it.
fn load_step(reads: Reads, at: At, count: i32) -> Loaded {
    let inside = vec4<i32>(0, 1, 2, 3) < vec4<i32>(count);
    return Loaded(
        select(vec4<f32>(), x_four(at.image * reads.x_image + at.pixel + reads.line), inside),
        select(vec4<f32>(), dy_four(at.image * reads.dy_image + at.pixel + reads.column), inside),
    );
}

/// What four pixels add to four columns; c[p]: the columns at pixel p.
fn add_four(sum: vec4<f32>, line: vec4<f32>, c: mat4x4<f32>) -> vec4<f32> {
    var total = sum;
    total += line.x * c[0];
    total += line.y * c[1];
    total += line.z * c[2];
    total += line.w * c[3];
    return total;
}

/// Adds four pixels, in which the invocation's first line and column lie there.
fn add_quad(sums: ptr<function, Sums>, line: u32, column: u32) {
    let c = transpose(mat4x4<f32>(
        columns[column], columns[column + GROUP], columns[column + 2u * GROUP], columns[column + 3u * GROUP],
    ));
    (*sums).l0 = add_four((*sums).l0, lines[line], c);
    (*sums).l1 = add_four((*sums).l1, lines[line + GROUP], c);
    (*sums).l2 = add_four((*sums).l2, lines[line + 2u * GROUP], c);
    (*sums).l3 = add_four((*sums).l3, lines[line + 3u * GROUP], c);
}

/// Adds up one line over the teams, for those of team `team`; all others keep what they have.
fn over_teams(before: vec4<f32>, own: vec4<f32>, team: u32, local: u32) -> vec4<f32> {
    workgroupBarrier();
    lines[local] = own;
    workgroupBarrier();
    var sum = before;
    if local / MEMBERS == team {
        for (var i = local % MEMBERS; i < INVOCATIONS; i += MEMBERS) {
            sum += lines[i];
        }
    }
    return sum;
}

/// Writes `sum` as a number of row `row` of a share.
fn store(split: u32, row: u32, co: u32, sum: f32) {
    if split < params.splits && co < params.c_out {
        partial[(split * (params.c_in + 1u) + row) * params.c_out + co] = sum;
    }
}

/// Adds up the bias' gradient over the invocations that load the same column, and writes it.
fn store_bias(split: u32, co: u32, own: vec4<f32>, local: u32) {
    columns[local] = own;
    workgroupBarrier();
    if local < TILE {
        var sum = vec4<f32>();
        for (var q = 0u; q < QUADS; q += 1u) {
            sum += columns[local * QUADS + q];
        }
        store(split, params.c_in, co + local, (sum.x + sum.y) + (sum.z + sum.w));
    }
}

@compute @workgroup_size(INVOCATIONS)
fn conv2d_backward_weight_pointwise(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Blocks of one share lie together in the grid: they read the same pixels.
    let column_blocks = (params.c_out + TILE - 1u) / TILE;
    let line_blocks = (params.c_in + TILE - 1u) / TILE;
    let i = workgroup_index(group, groups);
    let co = i % column_blocks * TILE;
    let ci = i / column_blocks % line_blocks * TILE;
    let split = i / column_blocks / line_blocks;
    let all = params.n * params.h_in * params.w_in;
    let begin = min(split * params.share_rows * params.w_in, all);
    let end = min(begin + params.share_rows * params.w_in, all);

    // The first step takes so many pixels that all others are whole. Lanes run along the pixels.
    var count = (end - begin + STEP - 1u) % STEP + 1u;
    let quad = local % QUADS;
    let own = local / QUADS;
    let reads = reads_of(ci + own, co + own);
    let pixels = i32(min(count, end - begin)) - i32(4u * quad);
    var loaded = load_step(reads, place(begin + 4u * quad), pixels);
    var at = place(begin + count + 4u * quad);
    let images_each = STEP / UNIT / plane();
    let pixels_each = STEP / UNIT % plane();

    let team = local / MEMBERS;
    let first = team * SHARE * STRIDE;
    let line = local % MEMBERS / GROUP;
    let column = local % GROUP;
    var sums = Sums();
    var bias = vec4<f32>();
    for (var pixel = begin; pixel < end;) {
        workgroupBarrier();
        lines[quad * STRIDE + own] = loaded.line;
        columns[quad * STRIDE + own] = loaded.column;
        bias += loaded.column;
        workgroupBarrier();
        pixel += count;
        count = STEP;
        // Behind the last step what was loaded is loaded once more: a branch would keep registers apart.
        loaded = load_step(reads, at, 4);
        if pixel + STEP < end {
            at = next(at, images_each, pixels_each);
        }
        for (var q = 0u; q < SHARE; q += 1u) {
            add_quad(&sums, first + q * STRIDE + line, first + q * STRIDE + column);
        }
    }
    var sum = over_teams(vec4<f32>(), sums.l0, 0u, local);
    sum = over_teams(sum, sums.l1, 1u, local);
    sum = over_teams(sum, sums.l2, 2u, local);
    sum = over_teams(sum, sums.l3, 3u, local);
    let row = ci + line + team * GROUP;
    if row < params.c_in {
        for (var c = 0u; c < 4u; c += 1u) {
            store(split, row, co + column + c * GROUP, sum[c]);
        }
    }
    if ci == 0u {
        store_bias(split, co, bias, local);
    }
}
