
// How the weight gradient of kernels of one pixel reaches four pixels that follow one another, where images and shares
// hold whole vectors. The kernel declares x and dy.

alias Stored = vec4<f32>;
/// Where four pixels lie, in Stored.
alias Places = u32;
const UNIT: u32 = 4u;

/// Pixel `first` of all images and its three neighbours; behind the last those before it.
fn four_pixels(first: u32, all: u32) -> Places {
    return min(first, all - 4u);
}

fn x_four(at: Places) -> vec4<f32> {
    return x[at];
}

fn dy_four(at: Places) -> vec4<f32> {
    return dy[at];
}
