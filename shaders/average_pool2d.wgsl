// average_pool2d: y[n,c,oy,ox] = the mean of x over the cells of window (oy, ox), which begins at
// (oy*stride - pad_top, ox*stride - pad_left); cells outside the image do not count.
// grad_x[pixel] = sum of dy / cells over the windows that hold the pixel, zero where the ReLU before (relu_mask)
// was closed.
//
// x, grad_x (n, x_channels, h_in, w_in), y, dy (n, y_channels, h_out, w_out) and relu_mask (n, mask_channels,
// h_in, w_in), of which c channels from *_first on. An invocation owns one element of y (forward) or grad_x (backward).

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<f32>;

/// Where window `o` begins and ends inside the image, along one axis.
fn cells(o: u32, stride: u32, pad: u32, size: u32, image: u32) -> vec2<u32> {
    // A window begins before the image where padding does: max and min clip it.
    let begin = max(o * stride, pad) - pad;
    return vec2<u32>(begin, min(o * stride + size - pad, image));
}

/// The first window that holds pixel `i`, along one axis, and the one behind the last.
fn windows(i: u32, stride: u32, pad: u32, size: u32, count: u32) -> vec2<u32> {
    // o * stride - pad <= i < o * stride - pad + size.
    let end = i + pad;
    let first = (max(end + 1u, size) - size + stride - 1u) / stride;
    return vec2<u32>(first, min(end / stride + 1u, count));
}

/// What window `oy` covers of the rows of the image, and `ox` of its columns.
fn rows_of(oy: u32) -> vec2<u32> {
    return cells(oy, params.stride_h, params.pad_top, params.kh, params.h_in);
}
fn columns_of(ox: u32) -> vec2<u32> {
    return cells(ox, params.stride_w, params.pad_left, params.kw, params.w_in);
}

@compute @workgroup_size(WORKGROUP)
fn average_pool2d_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let pixels = params.h_out * params.w_out;
    if i < params.n * params.c * pixels {
        let n = i / pixels / params.c;
        let c = i / pixels % params.c;
        let plane = (n * params.x_channels + params.x_first + c) * params.h_in * params.w_in;
        let rows = rows_of(i % pixels / params.w_out);
        let columns = columns_of(i % params.w_out);
        var sum = 0.0;
        for (var iy = rows.x; iy < rows.y; iy += 1u) {
            for (var ix = columns.x; ix < columns.y; ix += 1u) {
                sum += x[plane + iy * params.w_in + ix];
            }
        }
        let count = (rows.y - rows.x) * (columns.y - columns.x);
        y[(n * params.y_channels + params.y_first + c) * pixels + i % pixels] = sum / f32(count);
    }
}

@compute @workgroup_size(WORKGROUP)
fn average_pool2d_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let pixels = params.h_in * params.w_in;
    if i < params.n * params.c * pixels {
        let n = i / pixels / params.c;
        let c = i / pixels % params.c;
        let gradients = (n * params.y_channels + params.y_first + c) * params.h_out * params.w_out;
        let iy = i % pixels / params.w_in;
        let ix = i % params.w_in;
        let down = windows(iy, params.stride_h, params.pad_top, params.kh, params.h_out);
        let across = windows(ix, params.stride_w, params.pad_left, params.kw, params.w_out);
        var sum = 0.0;
        for (var oy = down.x; oy < down.y; oy += 1u) {
            let rows = rows_of(oy);
            for (var ox = across.x; ox < across.y; ox += 1u) {
                let columns = columns_of(ox);
                let count = (rows.y - rows.x) * (columns.y - columns.x);
                sum += dy[gradients + oy * params.w_out + ox] / f32(count);
            }
        }
        if params.masked != 0u {
            let mask = (n * params.mask_channels + params.mask_first + c) * pixels + i % pixels;
            sum = select(0.0, sum, relu_mask[mask] > 0.0);
        }
        grad_x[(n * params.x_channels + params.x_first + c) * pixels + i % pixels] = sum;
    }
}
