// depthwise_conv2d with stride 1 and 'same' columns (TAPS = kw wide, TAPS / 2 of padding on the left) where
// rows hold whole vectors: three loads of vectors give a row under all taps of four outputs.
//
// forward:        y[n,co,oy,ox] = relu(bias[co] + sum x[n,co / m,oy+ky-top,ox+kx-left] w[ky,kx,co])
// backward input: grad_x[n,ci,iy,ix] = sum dy[n,co,iy+top-ky,ix+left-kx] w[ky,kx,co] over the m = c_out / c_in
//                 channels co of ci, zero where the ReLU before (relu_mask) was closed.
//
// x, grad_x (n, x_channels, h_in, w_in), y, dy (n, y_channels, h_out, w_out), relu_mask (n,
// mask_channels, h_in, w_in): channel ranges from *_first on; w (kh, kw, c_out); bias (c_out).
// w_in = w_out is a multiple of 4. An invocation owns four neighbours of y or of grad_x.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> relu_mask: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<vec4<f32>>;

/// What the taps see of the row of x whose first vector is `row`, around its vector `column`.
fn x_under(row: u32, column: u32) -> Pixels {
    let last = params.w_in / 4u - 1u;
    let before = select(vec4<f32>(), x[row + max(column, 1u) - 1u], column > 0u);
    let after = select(vec4<f32>(), x[row + min(column + 1u, last)], column < last);
    return under_taps(before, x[row + column], after);
}

/// The same of a row of dy.
fn dy_under(row: u32, column: u32) -> Pixels {
    let last = params.w_in / 4u - 1u;
    let before = select(vec4<f32>(), dy[row + max(column, 1u) - 1u], column > 0u);
    let after = select(vec4<f32>(), dy[row + min(column + 1u, last)], column < last);
    return under_taps(before, dy[row + column], after);
}

/// The taps times the weights at `first`, `first + step` and so on.
fn weigh(under: Pixels, first: u32, step: u32) -> vec4<f32> {
    var sum = under.t0 * w[first];
    sum += under.t1 * w[first + step];
    sum += under.t2 * w[first + 2u * step];
    if TAPS > 3u {
        sum += under.t3 * w[first + 3u * step];
        sum += under.t4 * w[first + 4u * step];
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn depthwise_conv2d_forward_vectors(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let vectors = params.w_in / 4u;
    let pixels = params.h_out * vectors;
    if i < params.n * params.c_out * pixels {
        let n = i / pixels / params.c_out;
        let co = i / pixels % params.c_out;
        let oy = i % pixels / vectors;
        let ci = co / (params.c_out / params.c_in);
        let plane = (n * params.x_channels + params.x_first + ci) * params.h_in;
        var sum = vec4<f32>(bias[co]);
        for (var ky = 0u; ky < params.kh; ky += 1u) {
            // Padding wraps below zero and fails the test against the size.
            let iy = oy + ky - params.pad_top;
            if iy < params.h_in {
                let under = x_under((plane + iy) * vectors, i % vectors);
                sum += weigh(under, ky * TAPS * params.c_out + co, params.c_out);
            }
        }
        if params.relu != 0u {
            sum = relu4(sum);
        }
        y[(n * params.y_channels + params.y_first + co) * pixels + i % pixels] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn depthwise_conv2d_backward_input_vectors(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let vectors = params.w_in / 4u;
    let pixels = params.h_in * vectors;
    if i < params.n * params.c_in * pixels {
        let n = i / pixels / params.c_in;
        let ci = i / pixels % params.c_in;
        let iy = i % pixels / vectors;
        let multiplier = params.c_out / params.c_in;
        var sum = vec4<f32>();
        for (var co = ci * multiplier; co < (ci + 1u) * multiplier; co += 1u) {
            let plane = (n * params.y_channels + params.y_first + co) * params.h_out;
            for (var ky = 0u; ky < params.kh; ky += 1u) {
                let oy = iy + params.pad_top - ky;
                if oy < params.h_out {
                    // Behind, the kernel is turned around: the first tap meets the last column.
                    let under = dy_under((plane + oy) * vectors, i % vectors);
                    let last = (ky * TAPS + TAPS - 1u) * params.c_out + co;
                    sum += weigh(under, last, 0u - params.c_out);
                }
            }
        }
        if params.relu != 0u {
            let at = (n * params.mask_channels + params.mask_first + ci) * pixels + i % pixels;
            sum = select(vec4<f32>(), sum, relu_mask[at] > vec4<f32>());
        }
        grad_x[(n * params.x_channels + params.x_first + ci) * pixels + i % pixels] = sum;
    }
}
