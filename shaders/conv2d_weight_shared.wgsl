// conv2d weight gradient as a matrix product over pixels in tiles over workgroup memory, for GPUs: any
// kernel size, stride and padding.
//
// partial[s, ky,kx,ci, co] = sum over the rows (n, oy) of share s and all ox of
//     x[n,ci,oy*s+ky-top,ox*s+kx-left] dy[n,co,oy,ox]; the last row of a share is the bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out): channel ranges from *_first on.
// partial (splits, kh * kw * c_in + 1, c_out).
//
// A workgroup computes 64 lines (ky, kx, ci), the bias being the line behind the last, by 16 channels of
// a share, 16 pixels a step. lines[d * 17 + g] holds lines g, g + 16, g + 32 and g + 48 at pixel d,
// channels[d * 5 + c] holds channels 4 c ... 4 c + 3; lanes load along the pixels, and odd strides keep
// their stores free of bank conflicts. An invocation owns 4 lines by 4 channels.

const DEPTH: u32 = 16u;
const LINE_STRIDE: u32 = 17u;
const CHANNEL_STRIDE: u32 = 5u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

/// Where a line of the tile reads x: (ky - top, kx - left, channel, what it is).
var<workgroup> taps: array<vec4<u32>, 64>;
var<workgroup> lines: array<vec4<f32>, DEPTH * LINE_STRIDE>;
var<workgroup> channels: array<vec4<f32>, DEPTH * CHANNEL_STRIDE>;

/// What a line is.
const INPUT: u32 = 0u;
const BIAS: u32 = 1u;
const NOTHING: u32 = 2u;

/// An output pixel.
struct Pixel {
    inside: bool,
    image: u32,
    row: u32,
    column: u32,
}

/// What an invocation has loaded for one step, on its way to workgroup memory.
struct Loaded {
    lines0: vec4<f32>,
    lines1: vec4<f32>,
    lines2: vec4<f32>,
    lines3: vec4<f32>,
    channels: vec4<f32>,
}

fn tap(line: u32) -> vec4<u32> {
    let count = params.kh * params.kw * params.c_in;
    let kind = select(select(NOTHING, BIAS, line == count), INPUT, line < count);
    let ky = line / params.c_in / params.kw;
    let kx = line / params.c_in % params.kw;
    return vec4<u32>(ky - params.pad_top, kx - params.pad_left, params.x_first + line % params.c_in, kind);
}

/// The factor of one line at an output pixel; zero outside, where a coordinate wrapped or ran over.
fn input(line: u32, at: Pixel) -> f32 {
    let reads = taps[line];
    let row = at.row * params.stride_h + reads.x;
    let column = at.column * params.stride_w + reads.y;
    let inside = at.inside & (reads.w == INPUT) & (row < params.h_in) & (column < params.w_in);
    let i = ((at.image * params.x_channels + reads.z) * params.h_in + row) * params.w_in + column;
    let one = select(0.0, 1.0, at.inside & (reads.w == BIAS));
    return select(one, x[select(0u, i, inside)], inside);
}

/// Lines line + 16 i at an output pixel.
fn load_lines(line: u32, at: Pixel) -> vec4<f32> {
    return vec4<f32>(input(line, at), input(line + 16u, at), input(line + 32u, at), input(line + 48u, at));
}

/// dy of an output pixel; zero outside.
fn dy_at(co: u32, at: Pixel) -> f32 {
    let inside = at.inside & (co < params.c_out);
    let plane = at.image * params.y_channels + params.y_first + co;
    let i = (plane * params.h_out + at.row) * params.w_out + at.column;
    return select(0.0, dy[select(0u, i, inside)], inside);
}

/// A step of the sum: pixel `pixel` of all images in a row, of a share that ends before pixel `end`.
fn load_step(pixel: u32, end: u32, channel: u32, local: u32) -> Loaded {
    let size = params.h_out * params.w_out;
    let at = Pixel(pixel < end, pixel / size, pixel % size / params.w_out, pixel % params.w_out);
    let line = local / 16u;
    let co = channel + local / 16u * 4u;
    return Loaded(
        load_lines(line, at), load_lines(line + 4u, at), load_lines(line + 8u, at), load_lines(line + 12u, at),
        vec4<f32>(dy_at(co, at), dy_at(co + 1u, at), dy_at(co + 2u, at), dy_at(co + 3u, at)),
    );
}

/// Writes four channels of one line.
fn store(split: u32, line: u32, co: u32, sums: vec4<f32>) {
    let rows = params.kh * params.kw * params.c_in + 1u;
    if split < params.splits && line < rows {
        for (var i = 0u; i < 4u; i += 1u) {
            if co + i < params.c_out {
                partial[(split * rows + line) * params.c_out + co + i] = sums[i];
            }
        }
    }
}

@compute @workgroup_size(64)
fn conv2d_backward_weight_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Blocks of one share lie together in the grid: they read the same images.
    let i = workgroup_index(group, groups);
    let channel_blocks = (params.c_out + 15u) / 16u;
    let line_blocks = (params.kh * params.kw * params.c_in + 1u + 63u) / 64u;
    let channel = i % channel_blocks * 16u;
    let line = i / channel_blocks % line_blocks * 64u;
    let split = i / channel_blocks / line_blocks;
    let rows = params.n * params.h_out;
    let begin = min(split * params.share_rows, rows) * params.w_out;
    let end = min((split + 1u) * params.share_rows, rows) * params.w_out;

    taps[local] = tap(line + local);
    workgroupBarrier();
    let lane = local % 16u;
    let to_line = lane * LINE_STRIDE + local / 16u;
    var a = vec4<f32>();
    var b = vec4<f32>();
    var c = vec4<f32>();
    var d = vec4<f32>();
    var loaded = load_step(begin + lane, end, channel, local);
    for (var first = begin; first < end; first += DEPTH) {
        workgroupBarrier();
        lines[to_line] = loaded.lines0;
        lines[to_line + 4u] = loaded.lines1;
        lines[to_line + 8u] = loaded.lines2;
        lines[to_line + 12u] = loaded.lines3;
        channels[lane * CHANNEL_STRIDE + local / 16u] = loaded.channels;
        workgroupBarrier();
        loaded = load_step(first + DEPTH + lane, end, channel, local);
        for (var pixel = 0u; pixel < DEPTH; pixel += 1u) {
            let four = lines[pixel * LINE_STRIDE + lane];
            let gradients = channels[pixel * CHANNEL_STRIDE + local / 16u];
            a += four.x * gradients;
            b += four.y * gradients;
            c += four.z * gradients;
            d += four.w * gradients;
        }
    }
    let co = channel + local / 16u * 4u;
    store(split, line + lane, co, a);
    store(split, line + lane + 16u, co, b);
    store(split, line + lane + 32u, co, c);
    store(split, line + lane + 48u, co, d);
}
