// conv2d weight gradient from rows staged in workgroup memory, for GPUs: stride 1, any padding, up
// to TAPS rows of the kernel and any number of columns.
//
// partial[s, ky,kx,ci, co] = sum over the rows (n, oy) of share s and all ox of
//     x[n,ci,oy+ky-top,ox+kx-left] dy[n,co,oy,ox]; the last row of a share is the bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out): channel ranges from *_first on.
// partial (splits, kh * kw * c_in + 1, c_out).
//
// A line is TAPS columns of the kernel in one row ky and input channel. A workgroup computes up to 64 lines, those of
// as many input channels as have all their rows among them, by two times OWN output channels of a share. Two teams of
// 64 invocations have OWN channels each, of the same lines. Where the kernel has at most 32 or 16 lines, two or four
// squads of a team take parts of each row and add up at the end.
//
// It goes down the rows of an image under a segment of 16 pixels, then those of the next image, then of the next
// segment. A step brings a row of each input channel, in place of the one that is no longer needed, and where all rows
// that an output row reads are there, the gradients of that row. inputs[(c * TAPS + slot) * 21 + column] holds rows of
// channel c, gradients[p * 5 + 2 * team + v] the team's channels 4 v ... 4 v + 3 of pixel p; odd strides keep both free
// of bank conflicts. An invocation owns a line: it reads an input once for the TAPS pixels that meet it. Inputs beside
// a segment's last pixel may meet gradients of zero.

/// Columns of a line: 3 or 5.
override TAPS: u32;
/// Output channels of a team: 5 or 8.
override OWN: u32;

/// Invocations of a team, and of both.
const LANES: u32 = 64u;
const INVOCATIONS: u32 = 128u;
/// Vectors that hold the channels of a team.
const OWN_VECTORS: u32 = 2u;
/// Pixels of a row that a step takes.
const SEGMENT: u32 = 16u;
/// Numbers from a row of the inputs to the next.
const INPUT_STRIDE: u32 = 21u;
/// Numbers between the sums of two invocations, at the end.
const OWN_STRIDE: u32 = 9u;
/// Vectors from a pixel of the gradients to the next.
const STRIDE: u32 = 5u;
/// Invocations that bring the same pixel of a segment, of channels or of vectors of channels.
const RANKS: u32 = INVOCATIONS / SEGMENT;
/// Columns behind a segment that its taps reach.
override BEHIND: u32 = TAPS - 1u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

var<workgroup> inputs: array<f32, LANES * INPUT_STRIDE>;
var<workgroup> gradients: array<vec4<f32>, SEGMENT * STRIDE>;

/// Numbers of a team's channels; those behind OWN are no code at all.
struct Channels {
    a: vec4<f32>,
    b: f32,
    c: vec3<f32>,
}

/// The sums of a line.
struct Sums {
    tap0: Channels,
    tap1: Channels,
    tap2: Channels,
    tap3: Channels,
    tap4: Channels,
}

/// What a workgroup computes: input channels ci ... ci + inputs - 1, kernel columns from kx on, output channels co ...
/// end - 1.
struct Block {
    lines: u32,
    ci: u32,
    inputs: u32,
    kx: u32,
    co: u32,
    end: u32,
}

/// Rows of the output, of all images one below the other, that a share has, and where in them a step is: it brings
/// row `ky` of what the output row reads.
struct At {
    row: u32,
    image: u32,
    y: u32,
    ky: u32,
    /// Slot of the first row that the output row reads.
    slot: u32,
    /// First pixel of the segment.
    first: u32,
}

/// What an invocation has loaded for one step, on its way to workgroup memory.
struct Loaded {
    inputs: vec3<f32>,
    /// A column behind the segment.
    behind: f32,
    gradients: vec4<f32>,
}

/// Lines of a squad: 64, 32 or 16, as few as hold all.
fn lines_of_squad() -> u32 {
    let all = params.kh * params.c_in;
    return select(select(64u, 32u, all <= 32u), 16u, all <= 16u);
}

/// Input channels of a block: an invocation loads up to three of their columns.
fn inputs_of_block() -> u32 {
    return min(LANES / TAPS, params.c_in);
}

fn start(begin: u32, first: u32) -> At {
    return At(begin, begin / params.h_out, begin % params.h_out, 0u, 0u, first);
}

/// A slot of the rows that an output row reads.
fn wrapped(i: u32) -> u32 {
    return select(i, i - params.kh, i >= params.kh);
}

/// A step on: down the kernel, the image, the images, then the segments.
fn next(at: At, begin: u32, end: u32) -> At {
    var next = at;
    if at.ky + 1u < params.kh {
        next.ky += 1u;
        return next;
    }
    next.row += 1u;
    next.y += 1u;
    next.slot = wrapped(at.slot + 1u);
    if next.row >= end {
        return start(begin, at.first + SEGMENT);
    }
    if next.y == params.h_out {
        next.y = 0u;
        next.image += 1u;
        next.ky = 0u;
        next.slot = 0u;
    }
    return next;
}

fn input(i: u32, inside: bool) -> f32 {
    return select(0.0, x[select(0u, i, inside)], inside);
}

/// The inputs at i, i + step and i + 2 step, of which the first `count` are inside.
fn inputs_of(i: u32, step: u32, count: u32) -> vec3<f32> {
    return vec3<f32>(input(i, count > 0u), input(i + step, count > 1u), input(i + 2u * step, count > 2u));
}

fn gradient(i: u32, inside: bool) -> f32 {
    return select(0.0, dy[select(0u, i, inside)], inside);
}

/// Vector `v` of the channels at a pixel of the segment.
fn gradients_of(block: Block, v: u32, at: At, p: u32) -> vec4<f32> {
    let column = at.first + p;
    let inside = (at.ky + 1u == params.kh) & (column < params.w_out) & (v < 2u * OWN_VECTORS);
    let team = block.co + v / OWN_VECTORS * OWN;
    let co = team + v % OWN_VECTORS * 4u;
    let end = min(team + OWN, block.end);
    let size = params.h_out * params.w_out;
    let i = (at.image * params.y_channels + params.y_first + co) * size + at.y * params.w_out + column;
    return vec4<f32>(
        gradient(i, inside & (co < end)),
        gradient(i + size, inside & (co + 1u < end)),
        gradient(i + 2u * size, inside & (co + 2u < end)),
        gradient(i + 3u * size, inside & (co + 3u < end)),
    );
}

/// How many of the block's channels c, c + RANKS, c + 2 RANKS, ... there are.
fn every_rank(block: Block, c: u32) -> u32 {
    return (block.inputs + RANKS - 1u - c) / RANKS;
}

/// A step.
fn load_step(block: Block, at: At, local: u32) -> Loaded {
    var loaded = Loaded();
    // Invocations share out the columns under a segment, then the channels.
    let y = at.y + at.ky - params.pad_top;
    let there = (at.first < params.w_out) & (y < params.h_in);
    let plane = params.h_in * params.w_in;
    let origin = ((at.image * params.x_channels + params.x_first + block.ci) * params.h_in + y) * params.w_in;
    let first = at.first + block.kx - params.pad_left;
    let c = local / SEGMENT;
    let column = first + local % SEGMENT;
    let count = select(0u, every_rank(block, c), there & (column < params.w_in));
    let i = origin + c * plane + column;
    loaded.inputs = inputs_of(i, RANKS * plane, count);
    let c_behind = local / BEHIND;
    let column_behind = first + SEGMENT + local % BEHIND;
    let is_behind = there & (c_behind < block.inputs) & (column_behind < params.w_in);
    loaded.behind = input(origin + c_behind * plane + column_behind, is_behind);
    // The pixels likewise, then the vectors of channels.
    loaded.gradients = gradients_of(block, c, at, local % SEGMENT);
    return loaded;
}

/// Writes the inputs of a step to a slot of workgroup memory.
fn share_rows(block: Block, slot: u32, loaded: Loaded, local: u32) {
    let origin = slot * INPUT_STRIDE;
    let c = local / SEGMENT;
    let channel = TAPS * INPUT_STRIDE;
    let count = every_rank(block, c);
    let i = origin + c * channel + local % SEGMENT;
    if count > 0u {
        inputs[i] = loaded.inputs.x;
    }
    if count > 1u {
        inputs[i + RANKS * channel] = loaded.inputs.y;
    }
    if count > 2u {
        inputs[i + 2u * RANKS * channel] = loaded.inputs.z;
    }
    let c_behind = local / BEHIND;
    if c_behind < block.inputs {
        inputs[origin + c_behind * channel + SEGMENT + local % BEHIND] = loaded.behind;
    }
}

/// Writes a step to workgroup memory, its inputs to that slot. Barriers go around the call. Each slot has code of its
/// own, whose places tests/barriers can tell apart.
fn share(block: Block, slot: u32, loaded: Loaded, local: u32) {
    for (var s = 0u; s < TAPS; s += 1u) {
        if s == slot {
            share_rows(block, s, loaded, local);
        }
    }
    if local / SEGMENT < 2u * OWN_VECTORS {
        gradients[local % SEGMENT * STRIDE + local / SEGMENT] = loaded.gradients;
    }
}

fn channels_at(i: u32) -> Channels {
    let second = gradients[i + 1u];
    return Channels(gradients[i], second.x, second.yzw);
}

fn plus(sums: Channels, input: f32, values: Channels) -> Channels {
    var next = sums;
    next.a += input * values.a;
    next.b += input * values.b;
    if OWN > 5u {
        next.c += input * values.c;
    }
    return next;
}

/// Adds a pixel's gradients, each times the inputs under the taps.
fn add_pixel(sums: ptr<function, Sums>, i: u32, x0: f32, x1: f32, x2: f32, x3: f32, x4: f32) {
    let values = channels_at(i);
    (*sums).tap0 = plus((*sums).tap0, x0, values);
    (*sums).tap1 = plus((*sums).tap1, x1, values);
    (*sums).tap2 = plus((*sums).tap2, x2, values);
    if TAPS > 3u {
        (*sums).tap3 = plus((*sums).tap3, x3, values);
        (*sums).tap4 = plus((*sums).tap4, x4, values);
    }
}

/// Adds `count` pixels of a segment, four at a time, in order: the line's inputs begin at l, the gradients of the team
/// at g.
fn add_step(sums: ptr<function, Sums>, l: u32, g: u32, count: u32) {
    var column = l;
    var i = g;
    var x0 = inputs[column];
    var x1 = inputs[column + 1u];
    var x2 = inputs[column + 2u];
    var x3 = inputs[column + 3u];
    for (var p = 0u; p < count; p += 4u) {
        column += 4u;
        let x4 = inputs[column];
        let x5 = inputs[column + 1u];
        let x6 = inputs[column + 2u];
        let x7 = inputs[column + 3u];
        add_pixel(sums, i, x0, x1, x2, x3, x4);
        add_pixel(sums, i + STRIDE, x1, x2, x3, x4, x5);
        add_pixel(sums, i + 2u * STRIDE, x2, x3, x4, x5, x6);
        add_pixel(sums, i + 3u * STRIDE, x3, x4, x5, x6, x7);
        i += 4u * STRIDE;
        x0 = x4;
        x1 = x5;
        x2 = x6;
        x3 = x7;
    }
}

/// Writes `sum` as a number of row `row` of a share.
fn store(split: u32, row: u32, co: u32, sum: f32) {
    let rows = params.kh * params.kw * params.c_in + 1u;
    if split < params.splits {
        partial[(split * rows + row) * params.c_out + co] = sum;
    }
}

/// Adds up tap `tap` of all lines over the squads and writes it where the kernel has it.
fn store_tap(block: Block, split: u32, tap: u32, sums: Channels, local: u32) {
    workgroupBarrier();
    let own = local * OWN_STRIDE;
    for (var i = 0u; i < 4u; i += 1u) {
        inputs[own + i] = sums.a[i];
    }
    inputs[own + 4u] = sums.b;
    if OWN > 5u {
        for (var i = 0u; i < 3u; i += 1u) {
            inputs[own + 5u + i] = sums.c[i];
        }
    }
    workgroupBarrier();
    let outputs = block.end - block.co;
    let kx = block.kx + tap;
    if kx < params.kw {
        for (var i = local; i < params.kh * block.inputs * outputs; i += INVOCATIONS) {
            let line = i / outputs;
            let c = i % outputs;
            let first = c / OWN * LANES;
            var sum = 0.0;
            for (var lane = line; lane < LANES; lane += block.lines) {
                sum += inputs[(first + lane) * OWN_STRIDE + c % OWN];
            }
            let row = (line % params.kh * params.kw + kx) * params.c_in + block.ci + line / params.kh;
            store(split, row, block.co + c, sum);
        }
    }
}

/// Adds up the bias' gradient over the invocations that have a channel of the block in common, and writes it.
fn store_bias(block: Block, split: u32, own: f32, local: u32) {
    workgroupBarrier();
    // From behind, so that where invocations run in turn the loss of the barrier before would show.
    let last = INVOCATIONS - 1u;
    inputs[last - local] = own;
    workgroupBarrier();
    if local < block.end - block.co {
        var sum = 0.0;
        for (var i = local / OWN * OWN_VECTORS * 4u + local % OWN; i < INVOCATIONS; i += 16u) {
            sum += inputs[last - i];
        }
        store(split, params.kh * params.kw * params.c_in, block.co + local, sum);
    }
}

@compute @workgroup_size(128)
fn conv2d_backward_weight_shared_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Blocks of one share lie together in the grid: they read the same rows.
    let lines = lines_of_squad();
    let inputs_each = inputs_of_block();
    let input_blocks = (params.c_in + inputs_each - 1u) / inputs_each;
    let column_blocks = (params.kw + TAPS - 1u) / TAPS;
    let output_blocks = (params.c_out + 2u * OWN - 1u) / (2u * OWN);
    var i = workgroup_index(group, groups);
    let co = i % output_blocks * 2u * OWN;
    i /= output_blocks;
    let kx = i % column_blocks * TAPS;
    i /= column_blocks;
    let ci = i % input_blocks * inputs_each;
    let split = i / input_blocks;
    let block = Block(lines, ci, min(inputs_each, params.c_in - ci), kx, co, min(co + 2u * OWN, params.c_out));

    let all_rows = params.n * params.h_out;
    let begin = min(split * params.share_rows, all_rows);
    let end = min(begin + params.share_rows, all_rows);
    // Each image's first row takes as many steps as the kernel has rows.
    let images = select(0u, (end - 1u) / params.h_out - begin / params.h_out + 1u, begin < end);
    let steps = (end - begin + images * (params.kh - 1u)) * ((params.w_out + SEGMENT - 1u) / SEGMENT);

    // The line, its row of the kernel and its pixels of a segment. Lanes behind the last line read what there is.
    let lane = local % LANES;
    let line = lane % lines;
    let ky = line % params.kh;
    let pixel = lane / lines * (lines / 4u);
    let team_first = pixel * STRIDE + local / LANES * OWN_VECTORS;
    let inputs_first = line / params.kh * TAPS * INPUT_STRIDE + pixel;

    var sums = Sums();
    // An invocation adds up every eighth pixel of one channel.
    var bias = 0.0;
    var at = start(begin, 0u);
    var loaded = load_step(block, at, local);
    for (var step = 0u; step < steps; step += 1u) {
        workgroupBarrier();
        share(block, wrapped(at.slot + at.ky), loaded, local);
        workgroupBarrier();
        let count = select(0u, params.w_out - at.first, at.ky + 1u == params.kh);
        let l = inputs_first + wrapped(at.slot + ky) * INPUT_STRIDE;
        at = next(at, begin, end);
        loaded = load_step(block, at, local);
        add_step(&sums, l, team_first, min(count, lines / 4u));
        for (var p = local / 16u; p < min(count, SEGMENT); p += RANKS) {
            bias += gradients[p * STRIDE + local % 16u / 4u][local % 4u];
        }
    }
    store_tap(block, split, 0u, sums.tap0, local);
    store_tap(block, split, 1u, sums.tap1, local);
    store_tap(block, split, 2u, sums.tap2, local);
    if TAPS > 3u {
        store_tap(block, split, 3u, sums.tap3, local);
        store_tap(block, split, 4u, sums.tap4, local);
    }
    if ci == 0u && kx == 0u {
        store_bias(block, split, bias, local);
    }
}
