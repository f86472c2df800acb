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
// as many input channels as have all their rows among them, by CHANNELS output channels of a share. Where the kernel
// has at most 32 or 16 lines, two or four teams of invocations take parts of each row and add up at the end.
//
// It goes down the rows of an image under a segment of 16 pixels, then those of the next image, then of the next
// segment. A step brings a row of each input channel, in place of the one that is no longer needed, and where all rows
// that an output row reads are there, the gradients of that row. inputs[(c * TAPS + slot) * 21 + column] holds rows of
// channel c, gradients[p * 5 + q] the channels 4 q ... 4 q + 3 of pixel p; odd strides keep both free of bank conflicts.
// An invocation owns a line: it reads an input once for the TAPS pixels that meet it. Inputs beside a segment's last
// pixel may meet gradients of zero.

/// Columns of a line: 3 or 5.
override TAPS: u32;
/// Channels of a workgroup: 8 or 10.
override CHANNELS: u32;

const LANES: u32 = 64u;
/// Pixels of a row that a step takes.
const SEGMENT: u32 = 16u;
/// Numbers from a row of the inputs to the next.
const INPUT_STRIDE: u32 = 21u;
/// Numbers between the sums of two invocations, at the end.
const OWN_STRIDE: u32 = 17u;
/// Vectors from a pixel of the gradients to the next.
const STRIDE: u32 = 5u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

var<workgroup> inputs: array<f32, LANES * INPUT_STRIDE>;
var<workgroup> gradients: array<vec4<f32>, SEGMENT * STRIDE>;

/// Numbers of 10 channels; those behind CHANNELS are no code at all.
struct Channels {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec2<f32>,
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
    inputs0: vec4<f32>,
    inputs1: vec4<f32>,
    /// A column behind the segment.
    behind: f32,
    gradients: vec4<f32>,
}

/// Lines of a team: 64, 32 or 16, as few as hold all.
fn lines_of_team() -> u32 {
    let all = params.kh * params.c_in;
    return select(select(64u, 32u, all <= 32u), 16u, all <= 16u);
}

/// Input channels of a block: an invocation loads up to 6 or 3 of their columns.
fn inputs_of_block() -> u32 {
    return min(LANES / TAPS, params.c_in);
}

/// Columns behind a segment that its taps reach.
fn behind() -> u32 {
    return TAPS - 1u;
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

/// The inputs at i, i + step, i + 2 step and i + 3 step, of which the first `count` are inside.
fn inputs_of(i: u32, step: u32, count: i32) -> vec4<f32> {
    return vec4<f32>(
        input(i, count > 0), input(i + step, count > 1), input(i + 2u * step, count > 2), input(i + 3u * step, count > 3),
    );
}

fn gradient(i: u32, inside: bool) -> f32 {
    return select(0.0, dy[select(0u, i, inside)], inside);
}

/// Four channels of the block from 4 q on at a pixel of the segment.
fn gradients_of(block: Block, q: u32, at: At, p: u32) -> vec4<f32> {
    let column = at.first + p;
    let inside = (at.ky + 1u == params.kh) & (column < params.w_out);
    let co = block.co + 4u * q;
    let size = params.h_out * params.w_out;
    let i = (at.image * params.y_channels + params.y_first + co) * size + at.y * params.w_out + column;
    return vec4<f32>(
        gradient(i, inside & (co < block.end)),
        gradient(i + size, inside & (co + 1u < block.end)),
        gradient(i + 2u * size, inside & (co + 2u < block.end)),
        gradient(i + 3u * size, inside & (co + 3u < block.end)),
    );
}

/// How many of the block's channels c, c + 4, c + 8, ... there are.
fn every_fourth(block: Block, c: u32) -> i32 {
    return i32((block.inputs + 3u - c) / 4u);
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
    let count = select(0, every_fourth(block, c), there & (column < params.w_in));
    let i = origin + c * plane + column;
    loaded.inputs0 = inputs_of(i, 4u * plane, count);
    if TAPS < 5u {
        loaded.inputs1 = inputs_of(i + 16u * plane, 4u * plane, count - 4);
    }
    let channel = local / behind();
    let next = first + SEGMENT + local % behind();
    loaded.behind = input(origin + channel * plane + next, there & (channel < block.inputs) & (next < params.w_in));
    // The pixels likewise, then the vectors of channels.
    loaded.gradients = gradients_of(block, c, at, local % SEGMENT);
    return loaded;
}

/// Writes what four channels have in a column, `step` numbers apart, of which the first `count` are the block's.
fn share_inputs(i: u32, step: u32, count: i32, values: vec4<f32>) {
    if count > 0 {
        inputs[i] = values.x;
    }
    if count > 1 {
        inputs[i + step] = values.y;
    }
    if count > 2 {
        inputs[i + 2u * step] = values.z;
    }
    if count > 3 {
        inputs[i + 3u * step] = values.w;
    }
}

/// Writes the inputs of a step to a slot of workgroup memory.
fn share_rows(block: Block, slot: u32, loaded: Loaded, local: u32) {
    let origin = slot * INPUT_STRIDE;
    let c = local / SEGMENT;
    let channel = TAPS * INPUT_STRIDE;
    let count = every_fourth(block, c);
    let i = origin + c * channel + local % SEGMENT;
    share_inputs(i, 4u * channel, count, loaded.inputs0);
    if TAPS < 5u {
        share_inputs(i + 16u * channel, 4u * channel, count - 4, loaded.inputs1);
    }
    let of_behind = local / behind();
    if of_behind < block.inputs {
        inputs[origin + of_behind * channel + SEGMENT + local % behind()] = loaded.behind;
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
    gradients[local % SEGMENT * STRIDE + local / SEGMENT] = loaded.gradients;
}

fn channels_at(i: u32) -> Channels {
    var values = Channels();
    values.a = gradients[i];
    values.b = gradients[i + 1u];
    if CHANNELS > 8u {
        values.c = gradients[i + 2u].xy;
    }
    return values;
}

fn plus(sums: Channels, input: f32, values: Channels) -> Channels {
    var next = sums;
    next.a += input * values.a;
    next.b += input * values.b;
    if CHANNELS > 8u {
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

/// Adds `count` pixels of a segment, four at a time, in order: the line's inputs begin at l, the gradients at pixel
/// `first`.
fn add_step(sums: ptr<function, Sums>, l: u32, first: u32, count: u32) {
    var column = l;
    var i = first * STRIDE;
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

/// Adds up tap `tap` of all lines over the teams and writes it where the kernel has it.
fn store_tap(block: Block, split: u32, tap: u32, sums: Channels, local: u32) {
    workgroupBarrier();
    let own = local * OWN_STRIDE;
    for (var i = 0u; i < 4u; i += 1u) {
        inputs[own + i] = sums.a[i];
        inputs[own + 4u + i] = sums.b[i];
    }
    if CHANNELS > 8u {
        inputs[own + 8u] = sums.c.x;
        inputs[own + 9u] = sums.c.y;
    }
    workgroupBarrier();
    let outputs = block.end - block.co;
    let kx = block.kx + tap;
    if kx < params.kw {
        for (var i = local; i < params.kh * block.inputs * outputs; i += LANES) {
            let line = i / outputs;
            let c = i % outputs;
            var sum = 0.0;
            for (var lane = line; lane < LANES; lane += block.lines) {
                sum += inputs[lane * OWN_STRIDE + c];
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
    let last = LANES - 1u - local;
    inputs[last] = own;
    workgroupBarrier();
    if local < block.end - block.co {
        let sum = inputs[last] + inputs[last - 16u] + inputs[last - 32u] + inputs[last - 48u];
        store(split, params.kh * params.kw * params.c_in, block.co + local, sum);
    }
}

@compute @workgroup_size(64)
fn conv2d_backward_weight_shared_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Blocks of one share lie together in the grid: they read the same rows.
    let lines = lines_of_team();
    let inputs_each = inputs_of_block();
    let input_blocks = (params.c_in + inputs_each - 1u) / inputs_each;
    let column_blocks = (params.kw + TAPS - 1u) / TAPS;
    let output_blocks = (params.c_out + CHANNELS - 1u) / CHANNELS;
    var i = workgroup_index(group, groups);
    let co = i % output_blocks * CHANNELS;
    i /= output_blocks;
    let kx = i % column_blocks * TAPS;
    i /= column_blocks;
    let ci = i % input_blocks * inputs_each;
    let split = i / input_blocks;
    let block = Block(lines, ci, min(inputs_each, params.c_in - ci), kx, co, min(co + CHANNELS, params.c_out));

    let all_rows = params.n * params.h_out;
    let begin = min(split * params.share_rows, all_rows);
    let end = min(begin + params.share_rows, all_rows);
    // Each image's first row takes as many steps as the kernel has rows.
    let images = select(0u, (end - 1u) / params.h_out - begin / params.h_out + 1u, begin < end);
    let steps = (end - begin + images * (params.kh - 1u)) * ((params.w_out + SEGMENT - 1u) / SEGMENT);

    // The line, its row of the kernel and its pixels of a segment. Lanes behind the last line read what there is.
    let line = local % lines;
    let ky = line % params.kh;
    let pixel = local / lines * (lines / 4u);
    let inputs_first = line / params.kh * TAPS * INPUT_STRIDE + pixel;

    var sums = Sums();
    // An invocation adds up every fourth pixel of one channel.
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
        add_step(&sums, l, pixel, min(count, lines / 4u));
        for (var p = local / 16u; p < min(count, SEGMENT); p += 4u) {
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
