// depthwise_conv2d weight gradient, for any stride and size: one number of one share.
//
// partial[s, ky,kx, co] = sum over the images n of share s and all outputs of
//     x[n,co / m,oy*s+ky-top,ox*s+kx-left] dy[n,co,oy,ox], m = c_out / c_in; the last row of a share is the
//     bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out): channel ranges from *_first on.
// partial (splits, kh * kw + 1, c_out). An invocation (naive) or a workgroup (tree) owns one number.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

var<workgroup> sums: array<f32, WORKGROUP>;

/// Numbers of all shares.
fn numbers() -> u32 {
    return params.splits * (params.kh * params.kw + 1u) * params.c_out;
}

/// Number i, of the outputs `first`, `first + step` and so on of its share.
fn sum_of(i: u32, first: u32, step: u32) -> f32 {
    let rows = params.kh * params.kw + 1u;
    let co = i % params.c_out;
    let tap = i / params.c_out % rows;
    let split = i / params.c_out / rows;
    let channel = params.x_first + co / (params.c_out / params.c_in);
    let share = (params.n + params.splits - 1u) / params.splits;
    let end = min((split + 1u) * share, params.n);
    let by = place(step, params.h_out, params.w_out);
    var at = place(first, params.h_out, params.w_out);
    at.image += split * share;
    var sum = 0.0;
    while at.image < end {
        let gradients = (at.image * params.y_channels + params.y_first + co) * params.h_out + at.row;
        let gradient = dy[gradients * params.w_out + at.column];
        let iy = at.row * params.stride_h + tap / params.kw - params.pad_top;
        let ix = at.column * params.stride_w + tap % params.kw - params.pad_left;
        if tap + 1u == rows {
            sum += gradient;
        } else if iy < params.h_in && ix < params.w_in {
            let inputs = (at.image * params.x_channels + channel) * params.h_in + iy;
            sum += x[inputs * params.w_in + ix] * gradient;
        }
        at = advance(at, by, params.h_out, params.w_out);
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn depthwise_conv2d_backward_weight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < numbers() {
        partial[i] = sum_of(i, 0u, 1u);
    }
}

@compute @workgroup_size(WORKGROUP)
fn depthwise_conv2d_backward_weight_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups);
    sums[local] = sum_of(i, local, WORKGROUP);
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half {
            sums[local] += sums[local + half];
        }
        workgroupBarrier();
    }
    if i < numbers() && local == 0u {
        partial[i] = sums[0];
    }
}
