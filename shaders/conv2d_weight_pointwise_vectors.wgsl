// How the weight gradient of kernels of one pixel reaches four pixels (four_pixels_vectors.wgsl). The kernel
// declares x and dy.

fn x_four(at: Places) -> vec4<f32> {
    return x[at];
}

fn dy_four(at: Places) -> vec4<f32> {
    return dy[at];
}
