// relu over channel ranges of NCHW buffers: y = max(x, 0), NaN staying NaN; grad_x = dy where y > 0, else 0.
//
// Every buffer is (n, its own channels, pixels); the kernel covers c channels of each, from its
// `first` on. An invocation owns one element; a workgroup owns WORKGROUP consecutive ones.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
/// The output of the forward pass: positive where the ReLU was open.
@group(0) @binding(2) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<f32>;

/// Where element i = (n, c, pixel) of the kernel lies in a buffer of `channels` channels.
fn at(i: u32, channels: u32, first: u32) -> u32 {
    let plane = i / params.pixels;
    let n = plane / params.c;
    let c = plane % params.c;
    return (n * channels + first + c) * params.pixels + i % params.pixels;
}

@compute @workgroup_size(WORKGROUP)
fn relu_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.n * params.c * params.pixels {
        y[at(i, params.y_channels, params.y_first)] =
            relu(x[at(i, params.a_channels, params.a_first)]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn relu_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.n * params.c * params.pixels {
        let open = relu_mask[at(i, params.b_channels, params.b_first)] > 0.0;
        let gradient = dy[at(i, params.a_channels, params.a_first)];
        grad_x[at(i, params.y_channels, params.y_first)] = select(0.0, gradient, open);
    }
}
