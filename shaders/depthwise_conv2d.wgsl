// depthwise_conv2d, the readable baseline: every input channel has c_out / c_in kernels of its own, whose
// outputs lie side by side, output channel co reading input channel co / (c_out / c_in).
//
// forward:        y[n,co,oy,ox] = relu(bias[co] + sum x[n,ci,oy*s+ky-top,ox*s+kx-left] w[ky,kx,co])
// backward input: grad_x[n,ci,iy,ix] = sum dy[n,co,oy,ox] w[ky,kx,co] over the outputs that read it,
//                 zero where the ReLU before (relu_mask) was closed.
//
// x, grad_x (n, x_channels, h_in, w_in), y, dy (n, y_channels, h_out, w_out), relu_mask (n,
// mask_channels, h_in, w_in): channel ranges from *_first on; w (kh, kw, c_in, c_out / c_in), which is
// (kh, kw, c_out); bias (c_out). An invocation owns one element of y or of grad_x.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn depthwise_conv2d_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let pixels = params.h_out * params.w_out;
    if i < params.n * params.c_out * pixels {
        let n = i / pixels / params.c_out;
        let co = i / pixels % params.c_out;
        let oy = i % pixels / params.w_out;
        let ox = i % params.w_out;
        let ci = co / (params.c_out / params.c_in);
        let plane = (n * params.x_channels + params.x_first + ci) * params.h_in;
        var sum = bias[co];
        for (var ky = 0u; ky < params.kh; ky += 1u) {
            // Padding wraps below zero and fails the test against the size.
            let iy = oy * params.stride_h + ky - params.pad_top;
            for (var kx = 0u; kx < params.kw; kx += 1u) {
                let ix = ox * params.stride_w + kx - params.pad_left;
                if iy < params.h_in && ix < params.w_in {
                    let weight = w[(ky * params.kw + kx) * params.c_out + co];
                    sum += x[(plane + iy) * params.w_in + ix] * weight;
                }
            }
        }
        if params.relu != 0u {
            sum = relu(sum);
        }
        y[(n * params.y_channels + params.y_first + co) * pixels + i % pixels] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn depthwise_conv2d_backward_input(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let pixels = params.h_in * params.w_in;
    if i < params.n * params.c_in * pixels {
        let n = i / pixels / params.c_in;
        let ci = i / pixels % params.c_in;
        let iy = i % pixels / params.w_in;
        let ix = i % params.w_in;
        let multiplier = params.c_out / params.c_in;
        var sum = 0.0;
        for (var ky = 0u; ky < params.kh; ky += 1u) {
            // Output row oy reads input row iy through tap ky where oy * stride = iy + top - ky.
            let y_strided = iy + params.pad_top - ky;
            let oy = y_strided / params.stride_h;
            for (var kx = 0u; kx < params.kw; kx += 1u) {
                let x_strided = ix + params.pad_left - kx;
                let ox = x_strided / params.stride_w;
                let reads = (y_strided % params.stride_h == 0u) & (x_strided % params.stride_w == 0u);
                if reads && oy < params.h_out && ox < params.w_out {
                    for (var co = ci * multiplier; co < (ci + 1u) * multiplier; co += 1u) {
                        let plane = (n * params.y_channels + params.y_first + co) * params.h_out;
                        let weight = w[(ky * params.kw + kx) * params.c_out + co];
                        sum += dy[(plane + oy) * params.w_out + ox] * weight;
                    }
                }
            }
        }
        if params.relu != 0u {
            let open = relu_mask[(n * params.mask_channels + params.mask_first + ci) * pixels + i % pixels] > 0.0;
            sum = select(0.0, sum, open);
        }
        grad_x[(n * params.x_channels + params.x_first + ci) * pixels + i % pixels] = sum;
    }
}
