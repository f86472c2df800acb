// How the weight gradient of kernels of one pixel reaches four pixels (four_pixels_scalars.wgsl). The kernel
// declares x and dy.

fn x_four(at: Places) -> vec4<f32> {
    return vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]);
}

fn dy_four(at: Places) -> vec4<f32> {
    return vec4<f32>(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
}
