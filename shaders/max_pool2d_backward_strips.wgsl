// Backward pass of max_pool2d for windows of 3x3, each STRIDE pixels from the next.
//
// grad_x[pixel] = sum of dy over the windows that the pixel won (ties: first in row-major order), zero where
// the ReLU before (relu_mask) was closed.
//
// x, grad_x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out), relu_mask (n, mask_channels, h_in,
// w_in): c channels from *_first on. An invocation owns a strip of grad_x, two columns wide and ROWS rows high,
// and walks down it: in registers it has the three rows of x that the windows of its columns lie over, and
// the sums of the rows of grad_x that further windows will reach.
//
// A pixel that the image lacks is replaced by the nearest that it has. Behind that one such a copy cannot win;
// before it, a copy's win counts as its own.

override WORKGROUP: u32;
/// A multiple of STRIDE.
override ROWS: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<f32>;

/// The columns of x under each column of the windows.
struct Under {
    t0: Numbers,
    t1: Numbers,
    t2: Numbers,
}

/// The pixels of a row of x there.
struct Row {
    t0: Windows,
    t1: Windows,
    t2: Windows,
}

/// The largest pixel of each window so far, and which of the nine it is.
struct Best {
    value: Windows,
    tap: Numbers,
}

fn clamped(at: Places, size: u32) -> Numbers {
    return Numbers(clamp(at, Places(0), Places(i32(size) - 1)));
}

/// Whoever won has the tap's number: a choice by the comparison itself would be a maximum to some compilers, which
/// hides that a NaN stood there first.
fn meet(best: Best, pixels: Windows, tap: Numbers) -> Best {
    let winner = select(best.tap, tap, pixels > best.value);
    return Best(select(best.value, pixels, winner == tap), winner);
}

/// `outer` is what the taps of the first column count as.
fn meet_row(best: Best, row: Row, first_tap: u32, outer: Numbers) -> Best {
    let one = meet(best, row.t0, first_tap + outer);
    let two = meet(one, row.t1, Numbers(first_tap + 1u));
    return meet(two, row.t2, Numbers(first_tap + 2u));
}

/// Where row `iy` of a plane of x begins, or the nearest that there is.
fn row_start(plane: u32, iy: i32) -> u32 {
    return (plane + u32(clamp(iy, 0, i32(params.h_in) - 1))) * params.w_in;
}

/// Stores the pixel of grad_x in `column` of the row that begins at `to`; `mask` is where the mask's row does.
fn store(to: u32, mask: u32, column: i32, sum: f32) {
    // A column before the first wraps and fails the test against the width.
    if u32(column) < params.w_in {
        var stopped = sum;
        if params.masked != 0u {
            stopped = select(0.0, sum, relu_mask[mask + u32(column)] > 0.0);
        }
        grad_x[to + u32(column)] = stopped;
    }
}

/// Stores the two pixels of row `iy` of channel `c` of image `n`, of which the image may lack some.
fn store_row(n: u32, c: u32, iy: i32, column: i32, sum: vec2<f32>) {
    if u32(iy) < params.h_in {
        let to = ((n * params.x_channels + params.x_first + c) * params.h_in + u32(iy)) * params.w_in;
        let mask = ((n * params.mask_channels + params.mask_first + c) * params.h_in + u32(iy)) * params.w_in;
        store(to, mask, column, sum.x);
        store(to, mask, column + 1, sum.y);
    }
}

@compute @workgroup_size(WORKGROUP)
fn max_pool2d_backward_strips(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    // Strips begin where windows do.
    let lead_y = params.pad_top % STRIDE;
    let lead_x = params.pad_left % STRIDE;
    let across = (params.w_in + lead_x + 1u) / 2u;
    let strips = (params.h_in + lead_y + ROWS - 1u) / ROWS * across;
    if i < params.n * params.c * strips {
        let n = i / strips / params.c;
        let c = i / strips % params.c;
        let plane = (n * params.x_channels + params.x_first + c) * params.h_in;
        let gradients = (n * params.y_channels + params.y_first + c) * params.h_out;
        let first_row = i32(i % strips / across * ROWS) - i32(lead_y);
        let end = min(first_row + i32(ROWS), i32(params.h_in));
        let column = i32(i % across * 2u) - i32(lead_x);

        // The windows that reach the strip: where they begin, what is under them, which they are.
        let begin = Places(column - 2) + i32(STRIDE) * ASIDE;
        let under = Under(
            clamped(begin, params.w_in),
            clamped(begin + 1, params.w_in),
            clamped(begin + 2, params.w_in),
        );
        // Before the first column stands its copy, which the second tap has too.
        let outer = select(Numbers(0u), Numbers(1u), begin < Places(0));
        let ox = (begin + i32(params.pad_left)) / i32(STRIDE);
        let exist = (begin + i32(params.pad_left) >= Places(0)) & (ox < Places(i32(params.w_out)));
        let window = clamped(ox, params.w_out);

        var top = row_under(row_start(plane, first_row - 2), under);
        var middle = row_under(row_start(plane, first_row - 1), under);
        var sum = vec2<f32>();
        var sum_below = vec2<f32>();
        for (var iy = first_row - 2; iy < end; iy += i32(STRIDE)) {
            let bottom = row_under(row_start(plane, iy + 2), under);
            let first_tap = select(0u, 3u, iy < 0);
            var best = meet(Best(top.t0, first_tap + outer), top.t1, Numbers(first_tap + 1u));
            best = meet(best, top.t2, Numbers(first_tap + 2u));
            best = meet_row(best, middle, 3u, outer);
            best = meet_row(best, bottom, 6u, outer);

            let oy = (iy + i32(params.pad_top)) / i32(STRIDE);
            let exists = (iy + i32(params.pad_top) >= 0) & (oy < i32(params.h_out));
            let row = (gradients + u32(clamp(oy, 0, i32(params.h_out) - 1))) * params.w_out;
            let gradient = select(Windows(0.0), gradients_at(row, window), exist & Flags(exists));

            sum = collect(sum, best.tap, gradient, 0u);
            sum_below = collect(sum_below, best.tap, gradient, 3u);
            let last = collect(vec2<f32>(), best.tap, gradient, 6u);
            if iy >= first_row {
                store_row(n, c, iy, column, sum);
            }
            if STRIDE == 1u {
                top = middle;
                middle = bottom;
                sum = sum_below;
                sum_below = last;
            } else {
                if iy >= first_row {
                    store_row(n, c, iy + 1, column, sum_below);
                }
                top = bottom;
                middle = row_under(row_start(plane, iy + 3), under);
                sum = last;
                sum_below = vec2<f32>();
            }
        }
    }
}
