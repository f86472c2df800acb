// pad2d: y[n,c,oy,ox] = x[n,c,oy-top,ox-left] inside the image, 0 in the rows and columns around it.
// grad_x[n,c,iy,ix] = dy[n,c,iy+top,ix+left].
//
// x, grad_x (n, x_channels, h_in, w_in) and y, dy (n, y_channels, h_out, w_out), of which c channels from
// x_first and y_first on. An invocation owns one element of y (forward) or grad_x (backward).

override WORKGROUP: u32;

struct Params {
    n: u32,
    c: u32,
    h_in: u32,
    w_in: u32,
    h_out: u32,
    w_out: u32,
    top: u32,
    left: u32,
    x_channels: u32,
    x_first: u32,
    y_channels: u32,
    y_first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> grad_x: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn pad2d_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let pixels = params.h_out * params.w_out;
    if i < params.n * params.c * pixels {
        let n = i / pixels / params.c;
        let c = i / pixels % params.c;
        // What lies before the image wraps below zero and fails the test against the size.
        let iy = i % pixels / params.w_out - params.top;
        let ix = i % params.w_out - params.left;
        var value = 0.0;
        if iy < params.h_in && ix < params.w_in {
            let plane = (n * params.x_channels + params.x_first + c) * params.h_in;
            value = x[(plane + iy) * params.w_in + ix];
        }
        y[(n * params.y_channels + params.y_first + c) * pixels + i % pixels] = value;
    }
}

@compute @workgroup_size(WORKGROUP)
fn pad2d_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let pixels = params.h_in * params.w_in;
    if i < params.n * params.c * pixels {
        let n = i / pixels / params.c;
        let c = i / pixels % params.c;
        let oy = i % pixels / params.w_in + params.top;
        let ox = i % params.w_in + params.left;
        let plane = (n * params.y_channels + params.y_first + c) * params.h_out;
        let to = (n * params.x_channels + params.x_first + c) * pixels + i % pixels;
        grad_x[to] = dy[(plane + oy) * params.w_out + ox];
    }
}
