// Backward pass of max_pool2d for windows of 3x3, each STRIDE pixels from the next.
//
// grad_x[pixel] = sum of dy over the windows that the pixel won (ties: first in row-major order), zero where
// the ReLU before was closed: where relu_mask is not positive (params.masked 1), or x itself is not (2).
//
// x, grad_x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out), relu_mask (n, mask_channels, h_in,
// w_in): c channels from *_first on. An invocation owns a strip of grad_x, WIDTH columns wide and as high as the
// image, and walks down it: in registers it has the three rows of x that the windows of its columns lie over, and
// the sums of the rows of grad_x that further windows will reach. Its loops are written out.
//
// A pixel that the image lacks is replaced by the nearest that it has. Behind that one such a copy cannot win;
// before it, a copy's win counts as its own.

override WORKGROUP: u32;
/// 1 or 2.
override STRIDE: u32;
/// Columns of a strip: a multiple of STRIDE.
override WIDTH: u32;
/// Windows that reach so many columns, and columns under them: with STRIDE 2 one less.
const WINDOWS: u32 = (WIDTH + 2) / STRIDE;
const SPAN: u32 = WIDTH + 4;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> dy: array<Stored>;
@group(0) @binding(3) var<storage, read> relu_mask: array<Stored>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<Stored>;

/// A row of x under the windows of a strip; a number of each window; a row of a strip.
alias Row = array<f32, SPAN>;
alias Windows = array<f32, WINDOWS>;
alias Strip = array<f32, WIDTH>;

/// The largest pixel of a window so far, and which of the nine it is.
struct Best {
    value: f32,
    tap: u32,
}

/// Whoever won has the tap's number: a choice by the comparison itself would be a maximum to some compilers, which
/// hides that a NaN stood there first.
fn meet(best: Best, pixel: f32, tap: u32) -> Best {
    let winner = select(best.tap, tap, pixel > best.value);
    return Best(select(best.value, pixel, winner == tap), winner);
}

/// Row `iy` of the plane whose first row has the number `plane`, or the nearest that there is, from two columns before
/// `column` on.
fn row_at(plane: u32, iy: i32, column: i32) -> Row {
    return row_from((plane + u32(clamp(iy, 0, i32(params.h_in) - 1))) * params.w_in, column);
}

/// Which pixel won the window that begins at place `k` of three rows. What stands before the first column and above the
/// first row are copies, which count as what they are copies of: `outer`, and `above` for the first tap.
fn winner(top: Row, middle: Row, bottom: Row, k: u32, outer: u32, above: u32) -> u32 {
    var best = meet(Best(top[k], above + outer), top[k + 1u], above + 1u);
    best = meet(best, top[k + 2u], above + 2u);
    best = meet(best, middle[k], 3u + outer);
    best = meet(best, middle[k + 1u], 4u);
    best = meet(best, middle[k + 2u], 5u);
    best = meet(best, bottom[k], 6u + outer);
    best = meet(best, bottom[k + 1u], 7u);
    return meet(best, bottom[k + 2u], 8u).tap;
}

/// Adds what the columns of a strip won by the windows' row of taps from `first_tap` on.
fn collect(sum: Strip, taps: array<u32, WINDOWS>, gradient: Windows, first_tap: u32) -> Strip {
    var sums = sum;
    for (var k = 0u; k < WIDTH; k += 1u) {
        if STRIDE == 1u {
            sums[k] += select(0.0, gradient[k], taps[k] == first_tap + 2u);
            sums[k] += select(0.0, gradient[k + 1u], taps[k + 1u] == first_tap + 1u);
            sums[k] += select(0.0, gradient[k + 2u], taps[k + 2u] == first_tap);
        } else if k % 2u == 0u {
            sums[k] += select(0.0, gradient[k / 2u], taps[k / 2u] == first_tap + 2u);
            sums[k] += select(0.0, gradient[k / 2u + 1u], taps[k / 2u + 1u] == first_tap);
        } else {
            sums[k] += select(0.0, gradient[k / 2u + 1u], taps[k / 2u + 1u] == first_tap + 1u);
        }
    }
    return sums;
}

@compute @workgroup_size(WORKGROUP)
fn max_pool2d_backward_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    // Strips begin where windows do.
    let lead = params.pad_left % STRIDE;
    let across = (params.w_in + lead + WIDTH - 1u) / WIDTH;
    if i < params.n * params.c * across {
        let n = i / across / params.c;
        let c = i / across % params.c;
        let plane = (n * params.x_channels + params.x_first + c) * params.h_in;
        let mask = (n * params.mask_channels + params.mask_first + c) * params.h_in;
        let gradients = (n * params.y_channels + params.y_first + c) * params.h_out;
        let column = i32(i % across * WIDTH) - i32(lead);
        // The number of the first window that reaches the strip.
        let ox = (column - 2 + i32(params.pad_left)) / i32(STRIDE);

        var iy = -i32(params.pad_top);
        var top = row_at(plane, iy, column);
        var middle = row_at(plane, iy + 1, column);
        var sum: Strip;
        var sum_below: Strip;
        for (var oy = 0u; iy < i32(params.h_in); oy += 1u) {
            let bottom = row_at(plane, iy + 2, column);
            var gradient = gradients_from((gradients + min(oy, params.h_out - 1u)) * params.w_out, ox);
            var taps: array<u32, WINDOWS>;
            for (var j = 0u; j < WINDOWS; j += 1u) {
                let outer = u32(column + i32(STRIDE * j) < 2);
                taps[j] = winner(top, middle, bottom, STRIDE * j, outer, select(0u, 3u, iy < 0));
                let exists = (u32(ox + i32(j)) < params.w_out) & (oy < params.h_out);
                gradient[j] = select(0.0, gradient[j], exists);
            }
            sum = collect(sum, taps, gradient, 0u);
            sum_below = collect(sum_below, taps, gradient, 3u);
            let last = collect(Strip(), taps, gradient, 6u);
            if u32(iy) < params.h_in {
                store_row((plane + u32(iy)) * params.w_in, (mask + u32(iy)) * params.w_in, column, sum, top);
            }
            if STRIDE == 1u {
                top = middle;
                middle = bottom;
                sum = sum_below;
                sum_below = last;
            } else {
                let below = u32(iy + 1);
                if below < params.h_in {
                    store_row((plane + below) * params.w_in, (mask + below) * params.w_in, column, sum_below, middle);
                }
                top = bottom;
                middle = row_at(plane, iy + 3, column);
                sum = last;
                sum_below = Strip();
            }
            iy += i32(STRIDE);
        }
    }
}
