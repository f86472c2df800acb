
// Register tiles of conv2d with stride 1, shared by the families that differ in how weights reach
// the lanes: each defines load_weights(at, step, count, lane), ten weights from index `at` on, `step` apart.
//
// An invocation owns 8 pixels of 2 rows in 10 channels of the output. Backward input is the same
// walk over dy with the kernel turned by 180 degrees and the channels swapped.
//
// source: x (n, x_channels, h_in, w_in) or dy (n, y_channels, h_out, w_out); output: y or grad_x; extra:
// the bias (c_out), or the ReLU mask (n, mask_channels, h_in, w_in); w (kh, kw, c_in, c_out).

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> extra: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

/// Four pixels of ten channels.
struct Tile {
    c0: vec4<f32>,
    c1: vec4<f32>,
    c2: vec4<f32>,
    c3: vec4<f32>,
    c4: vec4<f32>,
    c5: vec4<f32>,
    c6: vec4<f32>,
    c7: vec4<f32>,
    c8: vec4<f32>,
    c9: vec4<f32>,
}

/// One tap's weights for ten channels.
struct Weights {
    c0: f32,
    c1: f32,
    c2: f32,
    c3: f32,
    c4: f32,
    c5: f32,
    c6: f32,
    c7: f32,
    c8: f32,
    c9: f32,
}

fn accumulate(tile: ptr<function, Tile>, weights: Weights, pixels: vec4<f32>) {
    (*tile).c0 += weights.c0 * pixels;
    (*tile).c1 += weights.c1 * pixels;
    (*tile).c2 += weights.c2 * pixels;
    (*tile).c3 += weights.c3 * pixels;
    (*tile).c4 += weights.c4 * pixels;
    (*tile).c5 += weights.c5 * pixels;
    (*tile).c6 += weights.c6 * pixels;
    (*tile).c7 += weights.c7 * pixels;
    (*tile).c8 += weights.c8 * pixels;
    (*tile).c9 += weights.c9 * pixels;
}

/// A convolution seen from its output, in either direction.
struct Walk {
    backward: bool,
    /// Channels that are summed, and channels of the output.
    depth: u32,
    channels: u32,
    /// Size and channel range of the source.
    height: u32,
    width: u32,
    stored: u32,
    first: u32,
    /// The same of the output.
    to_height: u32,
    to_width: u32,
    to_stored: u32,
    to_first: u32,
    /// Padding before the first row and column.
    top: u32,
    left: u32,
}

fn forward_walk() -> Walk {
    var walk: Walk;
    walk.backward = false;
    walk.depth = params.c_in;
    walk.channels = params.c_out;
    walk.height = params.h_in;
    walk.width = params.w_in;
    walk.stored = params.x_channels;
    walk.first = params.x_first;
    walk.to_height = params.h_out;
    walk.to_width = params.w_out;
    walk.to_stored = params.y_channels;
    walk.to_first = params.y_first;
    walk.top = params.pad_top;
    walk.left = params.pad_left;
    return walk;
}

fn backward_walk() -> Walk {
    var walk: Walk;
    walk.backward = true;
    walk.depth = params.c_out;
    walk.channels = params.c_in;
    walk.height = params.h_out;
    walk.width = params.w_out;
    walk.stored = params.y_channels;
    walk.first = params.y_first;
    walk.to_height = params.h_in;
    walk.to_width = params.w_in;
    walk.to_stored = params.x_channels;
    walk.to_first = params.x_first;
    walk.top = params.kh - 1u - params.pad_top;
    walk.left = params.kw - 1u - params.pad_left;
    return walk;
}

/// Index of the weight of output channel 0 for one tap and one summed channel.
fn weight_index(walk: Walk, ky: u32, kx: u32, d: u32) -> u32 {
    if walk.backward {
        let tap = (params.kh - 1u - ky) * params.kw + params.kw - 1u - kx;
        return tap * params.c_in * params.c_out + d;
    }
    return ((ky * params.kw + kx) * params.c_in + d) * params.c_out;
}

/// Pixel (y, x) of a plane; zero outside, where a coordinate wrapped or ran over.
fn pixel(walk: Walk, plane: u32, y: u32, x: u32) -> f32 {
    let inside = (y < walk.height) & (x < walk.width);
    return select(0.0, source[select(0u, (plane + y) * walk.width + x, inside)], inside);
}

fn four(walk: Walk, plane: u32, y: u32, x: u32) -> vec4<f32> {
    return vec4<f32>(
        pixel(walk, plane, y, x), pixel(walk, plane, y, x + 1u),
        pixel(walk, plane, y, x + 2u), pixel(walk, plane, y, x + 3u),
    );
}

/// Writes four pixels of one channel.
fn store(walk: Walk, n: u32, c: u32, y: u32, x: u32, sums: vec4<f32>) {
    if n < params.n && c < walk.channels && y < walk.to_height {
        let row = ((n * walk.to_stored + walk.to_first + c) * walk.to_height + y) * walk.to_width;
        let mask = ((n * params.mask_channels + params.mask_first + c) * walk.to_height + y) * walk.to_width;
        var bias = 0.0;
        if !walk.backward {
            bias = extra[c];
        }
        for (var i = 0u; i < 4u; i += 1u) {
            if x + i < walk.to_width {
                var value = sums[i];
                if !walk.backward {
                    value += bias;
                    if params.relu != 0u {
                        value = relu(value);
                    }
                } else if params.relu != 0u {
                    value = select(0.0, value, extra[mask + x + i] > 0.0);
                }
                output[row + x + i] = value;
            }
        }
    }
}

fn store_tile(walk: Walk, n: u32, c: u32, y: u32, x: u32, tile: Tile) {
    store(walk, n, c + 0u, y, x, tile.c0);
    store(walk, n, c + 1u, y, x, tile.c1);
    store(walk, n, c + 2u, y, x, tile.c2);
    store(walk, n, c + 3u, y, x, tile.c3);
    store(walk, n, c + 4u, y, x, tile.c4);
    store(walk, n, c + 5u, y, x, tile.c5);
    store(walk, n, c + 6u, y, x, tile.c6);
    store(walk, n, c + 7u, y, x, tile.c7);
    store(walk, n, c + 8u, y, x, tile.c8);
    store(walk, n, c + 9u, y, x, tile.c9);
}

/// Computes the tile number `tile` of the ten channels from `c` on.
fn convolve(walk: Walk, tile: u32, c: u32, lane: u32) {
    let blocks = (walk.to_width + 7u) / 8u;
    let pairs = (walk.to_height + 1u) / 2u;
    let x = tile % blocks * 8u;
    let y = tile / blocks % pairs * 2u;
    let n = tile / blocks / pairs;
    var top_left = Tile();
    var top_right = Tile();
    var bottom_left = Tile();
    var bottom_right = Tile();
    let step = select(1u, params.c_out, walk.backward);
    for (var d = 0u; d < walk.depth; d += 1u) {
        // Tiles behind the last image read the first: their sums are not stored.
        let image = select(0u, n, n < params.n);
        let plane = (image * walk.stored + walk.first + d) * walk.height;
        for (var ky = 0u; ky < params.kh; ky += 1u) {
            let iy = y + ky - walk.top;
            var ix = x - walk.left;
            var a = four(walk, plane, iy, ix);
            var b = four(walk, plane, iy, ix + 4u);
            var e = four(walk, plane, iy + 1u, ix);
            var f = four(walk, plane, iy + 1u, ix + 4u);
            ix += 8u;
            for (var kx = 0u; kx < params.kw; kx += 1u) {
                let weights = load_weights(weight_index(walk, ky, kx, d) + c * step, step, walk.channels - c, lane);
                accumulate(&top_left, weights, a);
                accumulate(&top_right, weights, b);
                accumulate(&bottom_left, weights, e);
                accumulate(&bottom_right, weights, f);
                // The window slides by one pixel.
                let next = pixel(walk, plane, iy, ix + kx);
                let below = pixel(walk, plane, iy + 1u, ix + kx);
                a = vec4<f32>(a.yzw, b.x);
                b = vec4<f32>(b.yzw, next);
                e = vec4<f32>(e.yzw, f.x);
                f = vec4<f32>(f.yzw, below);
            }
        }
    }
    store_tile(walk, n, c, y, x, top_left);
    store_tile(walk, n, c, y, x + 4u, top_right);
    store_tile(walk, n, c, y + 1u, x, bottom_left);
    store_tile(walk, n, c, y + 1u, x + 4u, bottom_right);
}
