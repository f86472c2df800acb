// max_pool2d for windows of 3x3, each STRIDE pixels from the next: y[n,c,oy,ox] = the largest x in the window that
// begins at (oy * STRIDE - pad_top, ox * STRIDE - pad_left).
//
// x (n, x_channels, h_in, w_in) and y (n, y_channels, h_out, w_out), of which c channels from x_first and y_first on.
// An invocation owns a strip of y, WIDTH columns wide and as high as the image, and walks down it: in registers it has
// the three rows of x under its windows. A pixel that the image lacks is replaced by the nearest that it has, which its
// window has too.

override WORKGROUP: u32;
/// 1 or 2.
override STRIDE: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;

/// A row of x under the windows of a strip, and a row of the strip.
alias Row = array<f32, SPAN>;
alias Strip = array<f32, WIDTH>;

/// Row `iy` of the plane whose first row has the number `plane`, or the nearest that there is, from `column` on.
fn row_at(plane: u32, iy: i32, column: i32) -> Row {
    return row_from((plane + u32(clamp(iy, 0, i32(params.h_in) - 1))) * params.w_in, column);
}

fn larger(best: f32, pixel: f32) -> f32 {
    return select(best, pixel, pixel > best);
}

/// The largest pixel of the window that begins at place `k` of three rows. NaN wins where it is the first, which its bits
/// tell: some compilers make the comparisons maxima.
fn largest(top: Row, middle: Row, bottom: Row, k: u32) -> f32 {
    let first = top[k];
    var best = larger(larger(first, top[k + 1u]), top[k + 2u]);
    best = larger(larger(larger(best, middle[k]), middle[k + 1u]), middle[k + 2u]);
    best = larger(larger(larger(best, bottom[k]), bottom[k + 1u]), bottom[k + 2u]);
    return select(best, first, (bitcast<u32>(first) & 0x7fffffffu) > 0x7f800000u);
}

@compute @workgroup_size(WORKGROUP)
fn max_pool2d_forward_strips(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let across = (params.w_out + WIDTH - 1u) / WIDTH;
    if i < params.n * params.c * across {
        let n = i / across / params.c;
        let c = i / across % params.c;
        let own = i % across * WIDTH;
        let column = i32(own * STRIDE) - i32(params.pad_left);
        let plane = (n * params.x_channels + params.x_first + c) * params.h_in;
        let to = (n * params.y_channels + params.y_first + c) * params.h_out;
        var iy = -i32(params.pad_top);
        var top = row_at(plane, iy, column);
        var middle = row_at(plane, iy + 1, column);
        for (var oy = 0u; oy < params.h_out; oy += 1u) {
            let bottom = row_at(plane, iy + 2, column);
            var best: Strip;
            for (var k = 0u; k < WIDTH; k += 1u) {
                best[k] = largest(top, middle, bottom, k * STRIDE);
            }
            store_row((to + oy) * params.w_out, own, best);
            if STRIDE == 1u {
                top = middle;
                middle = bottom;
            } else {
                top = bottom;
                middle = row_at(plane, iy + 3, column);
            }
            iy += i32(STRIDE);
        }
    }
}
