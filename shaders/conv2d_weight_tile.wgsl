
// Weight gradient of conv2d with stride 1 in register tiles, shared by the families that differ in
// how dy reaches the lanes: each defines Loaded, load_gradients and gradient_of.
//
// partial[s, ky,kx,ci, co] = sum over the images n of share s and all outputs of
//     x[n,ci,oy+ky-top,ox+kx-left] dy[n,co,oy,ox]; the last row of a share is the bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out): channel ranges from *_first on.
// partial (splits, kh * kw * c_in + 1, c_out).
//
// An invocation owns two pairs (ky, ci), TAPS values of kx of each, and ten output channels. It walks
// along the rows of its share: the inputs of a pair slide through TAPS registers, so that a new
// pixel costs one load for each pair and feeds ten channels times TAPS sums.

/// Values of kx in registers: 1, 3 or 5.
override TAPS: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

/// One number for each of ten output channels.
struct Ten {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec2<f32>,
}

/// Sums for TAPS values of kx.
struct Sums {
    t0: Ten,
    t1: Ten,
    t2: Ten,
    t3: Ten,
    t4: Ten,
}

/// The inputs under TAPS neighbouring taps.
struct Window {
    x0: f32,
    x1: f32,
    x2: f32,
    x3: f32,
    x4: f32,
}

/// Where one pair (ky, ci) reads and writes.
struct Pair {
    inside: bool,
    ky: u32,
    ci: u32,
}

fn multiply_add(sum: Ten, input: f32, gradient: Ten) -> Ten {
    return Ten(sum.a + input * gradient.a, sum.b + input * gradient.b, sum.c + input * gradient.c);
}

/// Adds one pixel: window times gradient, taps behind TAPS being no code at all.
fn add_pixel(sums: ptr<function, Sums>, window: Window, gradient: Ten) {
    (*sums).t0 = multiply_add((*sums).t0, window.x0, gradient);
    if TAPS > 1u {
        (*sums).t1 = multiply_add((*sums).t1, window.x1, gradient);
        (*sums).t2 = multiply_add((*sums).t2, window.x2, gradient);
    }
    if TAPS > 3u {
        (*sums).t3 = multiply_add((*sums).t3, window.x3, gradient);
        (*sums).t4 = multiply_add((*sums).t4, window.x4, gradient);
    }
}

/// The window one pixel on.
fn slide(window: Window, next: f32) -> Window {
    var slid = Window(window.x1, window.x2, window.x3, window.x4, next);
    if TAPS == 1u {
        slid.x0 = next;
    }
    if TAPS == 3u {
        slid.x2 = next;
    }
    return slid;
}

/// An input of a pair; zero outside, where a coordinate wrapped or ran over.
fn input(pair: Pair, n: u32, y: u32, column: u32) -> f32 {
    let row = y + pair.ky - params.pad_top;
    let inside = pair.inside & (row < params.h_in) & (column < params.w_in);
    let plane = (n * params.x_channels + params.x_first + pair.ci) * params.h_in;
    return select(0.0, x[select(0u, (plane + row) * params.w_in + column, inside)], inside);
}

/// The window at the first pixel of row y, before its last input.
fn first_window(pair: Pair, n: u32, y: u32, kx: u32) -> Window {
    let left = kx - params.pad_left;
    var window = Window();
    if TAPS > 1u {
        window = slide(window, input(pair, n, y, left));
        window = slide(window, input(pair, n, y, left + 1u));
    }
    if TAPS > 3u {
        window = slide(window, input(pair, n, y, left + 2u));
        window = slide(window, input(pair, n, y, left + 3u));
    }
    return window;
}

fn pair(index: u32) -> Pair {
    return Pair(index < params.kh * params.c_in, index / params.c_in, index % params.c_in);
}

fn store(split: u32, row: u32, co: u32, value: f32) {
    if co < params.c_out {
        let rows = params.kh * params.kw * params.c_in + 1u;
        partial[(split * rows + row) * params.c_out + co] = value;
    }
}

fn store_ten(split: u32, row: u32, co: u32, ten: Ten) {
    store(split, row, co, ten.a.x);
    store(split, row, co + 1u, ten.a.y);
    store(split, row, co + 2u, ten.a.z);
    store(split, row, co + 3u, ten.a.w);
    store(split, row, co + 4u, ten.b.x);
    store(split, row, co + 5u, ten.b.y);
    store(split, row, co + 6u, ten.b.z);
    store(split, row, co + 7u, ten.b.w);
    store(split, row, co + 8u, ten.c.x);
    store(split, row, co + 9u, ten.c.y);
}

fn store_tap(split: u32, owner: Pair, kx: u32, co: u32, ten: Ten) {
    if owner.inside && kx < params.kw {
        store_ten(split, (owner.ky * params.kw + kx) * params.c_in + owner.ci, co, ten);
    }
}

fn store_sums(split: u32, owner: Pair, kx: u32, co: u32, sums: Sums) {
    store_tap(split, owner, kx, co, sums.t0);
    if TAPS > 1u {
        store_tap(split, owner, kx + 1u, co, sums.t1);
        store_tap(split, owner, kx + 2u, co, sums.t2);
    }
    if TAPS > 3u {
        store_tap(split, owner, kx + 3u, co, sums.t3);
        store_tap(split, owner, kx + 4u, co, sums.t4);
    }
}

/// Sums the share `split` for two pairs, taps from kx and channels from co on; one invocation
/// (`owns_bias`) also writes the bias gradient of the channels.
fn gradient(split: u32, first: Pair, second: Pair, kx: u32, co: u32, lane: u32, owns_bias: bool) {
    let share = (params.n + params.splits - 1u) / params.splits;
    let end = min((split + 1u) * share, params.n);
    var sums = Sums();
    var more = Sums();
    var bias = Ten();
    for (var n = split * share; n < end; n += 1u) {
        for (var y = 0u; y < params.h_out; y += 1u) {
            var window = first_window(first, n, y, kx);
            var other = first_window(second, n, y, kx);
            for (var ox = 0u; ox < params.w_out; ox += 8u) {
                let loaded = load_gradients(n, co, y, ox, lane);
                for (var i = 0u; i < 8u; i += 1u) {
                    let ten = gradient_of(loaded, n, co, y, ox, i);
                    let next = ox + i + kx + TAPS - 1u - params.pad_left;
                    window = slide(window, input(first, n, y, next));
                    other = slide(other, input(second, n, y, next));
                    add_pixel(&sums, window, ten);
                    add_pixel(&more, other, ten);
                    bias = multiply_add(bias, 1.0, ten);
                }
            }
        }
    }
    store_sums(split, first, kx, co, sums);
    store_sums(split, second, kx, co, more);
    if owns_bias {
        store_ten(split, params.kh * params.kw * params.c_in, co, bias);
    }
}

/// Gradient of channel co at (y, column) of image n; zero behind the row and the last channel.
fn output_gradient(n: u32, co: u32, y: u32, column: u32) -> f32 {
    let inside = (co < params.c_out) & (column < params.w_out);
    let row = ((n * params.y_channels + params.y_first + co) * params.h_out + y) * params.w_out;
    return select(0.0, dy[select(0u, row + column, inside)], inside);
}

/// Splits the number of a workgroup of `lanes` invocations into share, pairs, taps and channels.
fn run(group: u32, lanes: u32, lane: u32) {
    let channel_blocks = (params.c_out + 9u) / 10u;
    let tap_blocks = (params.kw + TAPS - 1u) / TAPS;
    let pair_blocks = (params.kh * params.c_in + 2u * lanes - 1u) / (2u * lanes);
    let co = group % channel_blocks * 10u;
    let kx = group / channel_blocks % tap_blocks * TAPS;
    let block = group / channel_blocks / tap_blocks % pair_blocks;
    let split = group / channel_blocks / tap_blocks / pair_blocks;
    let index = block * 2u * lanes + lane;
    if split < params.splits {
        gradient(split, pair(index), pair(index + lanes), kx, co, lane, (index == 0u) & (kx == 0u));
    }
}
