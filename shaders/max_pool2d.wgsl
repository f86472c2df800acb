// max_pool2d: y[n,c,oy,ox] = the largest x in the window at (oy*stride - pad_top, ox*stride - pad_left);
// grad_x[pixel] = sum of dy over the windows that the pixel won (ties: first in row-major order), zero where
// the ReLU before (relu_mask) was closed.
//
// x, grad_x (n, x_channels, h_in, w_in), y, dy (n, y_channels, h_out, w_out) and relu_mask (n, mask_channels,
// h_in, w_in), of which c channels from *_first on. An invocation owns one element of y (forward) or grad_x
// (backward); max_pool2d_backward_apart is for windows that share no pixel, and there it owns the pixels from
// where a window begins to where the next ones do.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<f32>;

/// Index of the winning element of window (oy, ox) of the plane that starts at `plane`.
fn winner(plane: u32, oy: u32, ox: u32) -> u32 {
    // A window begins before the image where padding does: max and min clip it.
    let top = max(oy * params.stride_h, params.pad_top) - params.pad_top;
    let left = max(ox * params.stride_w, params.pad_left) - params.pad_left;
    let bottom = min(oy * params.stride_h + params.kh - params.pad_top, params.h_in);
    let right = min(ox * params.stride_w + params.kw - params.pad_left, params.w_in);
    var best = plane + top * params.w_in + left;
    for (var iy = top; iy < bottom; iy += 1u) {
        for (var ix = left; ix < right; ix += 1u) {
            let candidate = plane + iy * params.w_in + ix;
            if x[candidate] > x[best] {
                best = candidate;
            }
        }
    }
    return best;
}

/// Is the ReLU before pixel `i` of channel `c` of image `n` open, or not asked?
fn is_open(n: u32, c: u32, i: u32) -> bool {
    if params.masked == 0u {
        return true;
    }
    return relu_mask[(n * params.mask_channels + params.mask_first + c) * params.h_in * params.w_in + i] > 0.0;
}

@compute @workgroup_size(WORKGROUP)
fn max_pool2d_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let pixels = params.h_out * params.w_out;
    if i < params.n * params.c * pixels {
        let n = i / pixels / params.c;
        let c = i / pixels % params.c;
        let pixel = i % pixels;
        let plane = (n * params.x_channels + params.x_first + c) * params.h_in * params.w_in;
        let value = x[winner(plane, pixel / params.w_out, pixel % params.w_out)];
        y[(n * params.y_channels + params.y_first + c) * pixels + pixel] = value;
    }
}

@compute @workgroup_size(WORKGROUP)
fn max_pool2d_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let pixels = params.h_in * params.w_in;
    if i < params.n * params.c * pixels {
        let n = i / pixels / params.c;
        let c = i / pixels % params.c;
        let plane = (n * params.x_channels + params.x_first + c) * pixels;
        let gradients = (n * params.y_channels + params.y_first + c) * params.h_out * params.w_out;
        let own = plane + i % pixels;
        // The windows that hold (iy, ix): o * stride - pad <= i < o * stride - pad + k.
        let y_end = i % pixels / params.w_in + params.pad_top;
        let x_end = i % params.w_in + params.pad_left;
        let y_first = (max(y_end + 1u, params.kh) - params.kh + params.stride_h - 1u) / params.stride_h;
        let x_first = (max(x_end + 1u, params.kw) - params.kw + params.stride_w - 1u) / params.stride_w;
        let y_last = min(y_end / params.stride_h + 1u, params.h_out);
        let x_last = min(x_end / params.stride_w + 1u, params.w_out);
        var sum = 0.0;
        for (var oy = y_first; oy < y_last; oy += 1u) {
            for (var ox = x_first; ox < x_last; ox += 1u) {
                if winner(plane, oy, ox) == own {
                    sum += dy[gradients + oy * params.w_out + ox];
                }
            }
        }
        grad_x[own] = select(0.0, sum, is_open(n, c, i % pixels));
    }
}

@compute @workgroup_size(WORKGROUP)
fn max_pool2d_backward_apart(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    // Behind the last windows there may be pixels that none holds.
    let across = (params.w_in + params.pad_left + params.stride_w - 1u) / params.stride_w;
    let down = (params.h_in + params.pad_top + params.stride_h - 1u) / params.stride_h;
    if i < params.n * params.c * down * across {
        let n = i / across / down / params.c;
        let c = i / across / down % params.c;
        let oy = i / across % down;
        let ox = i % across;
        let plane = (n * params.x_channels + params.x_first + c) * params.h_in * params.w_in;
        // Nobody wins where there is no window.
        var won = plane + params.h_in * params.w_in;
        var gradient = 0.0;
        if oy < params.h_out && ox < params.w_out {
            won = winner(plane, oy, ox);
            let gradients = (n * params.y_channels + params.y_first + c) * params.h_out * params.w_out;
            gradient = dy[gradients + oy * params.w_out + ox];
        }
        let top = max(oy * params.stride_h, params.pad_top) - params.pad_top;
        let left = max(ox * params.stride_w, params.pad_left) - params.pad_left;
        let bottom = min((oy + 1u) * params.stride_h - params.pad_top, params.h_in);
        let right = min((ox + 1u) * params.stride_w - params.pad_left, params.w_in);
        for (var iy = top; iy < bottom; iy += 1u) {
            for (var ix = left; ix < right; ix += 1u) {
                let own = iy * params.w_in + ix;
                grad_x[plane + own] = select(0.0, gradient, (plane + own == won) & is_open(n, c, own));
            }
        }
    }
}
