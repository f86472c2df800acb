// pointwise_backward_sum: the gradient of an image that two or three convolutions of one pixel at stride 1 read, and
// another layer where `added`:
//
// grad_x[n,c,p] = other[n,c,p] + sum over d of w_a[c,d] dy_a[n,d,p], and likewise of b and c; zero where the ReLU before
//     (relu_mask) was closed.
//
// dy_a (n, a_channels, pixels), of which depth_a channels from a_first on, and likewise dy_b and dy_c; w: their kernels
// (channels, depth), from word w_a, w_b and w_c on; other (n, other_channels, pixels), relu_mask (n, mask_channels,
// pixels) and grad_x (n, x_channels, pixels): `channels` of each from *_first on. An invocation owns one element.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy_a: array<f32>;
@group(0) @binding(2) var<storage, read> dy_b: array<f32>;
@group(0) @binding(3) var<storage, read> dy_c: array<f32>;
@group(0) @binding(4) var<storage, read> w: array<f32>;
@group(0) @binding(5) var<storage, read> other: array<f32>;
@group(0) @binding(6) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_x: array<f32>;

/// Where channel c of image n lies at pixel p.
fn at(n: u32, c: u32, channels: u32, p: u32) -> u32 {
    return (n * channels + c) * params.pixels + p;
}

@compute @workgroup_size(WORKGROUP)
fn pointwise_backward_sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.n * params.channels * params.pixels {
        let p = i % params.pixels;
        let c = i / params.pixels % params.channels;
        let n = i / params.pixels / params.channels;
        var sum = 0.0;
        if params.added != 0u {
            sum = other[at(n, params.other_first + c, params.other_channels, p)];
        }
        for (var d = 0u; d < params.depth_a; d += 1u) {
            sum += w[params.w_a + c * params.depth_a + d] * dy_a[at(n, params.a_first + d, params.a_channels, p)];
        }
        for (var d = 0u; d < params.depth_b; d += 1u) {
            sum += w[params.w_b + c * params.depth_b + d] * dy_b[at(n, params.b_first + d, params.b_channels, p)];
        }
        for (var d = 0u; d < params.depth_c; d += 1u) {
            sum += w[params.w_c + c * params.depth_c + d] * dy_c[at(n, params.c_first + d, params.c_channels, p)];
        }
        if params.masked != 0u {
            sum = select(0.0, sum, relu_mask[at(n, params.mask_first + c, params.mask_channels, p)] > 0.0);
        }
        grad_x[at(n, params.x_first + c, params.x_channels, p)] = sum;
    }
}

