
// How the weight gradients reach rows of any length. The kernels declare x and dy.

alias Stored = f32;
const UNIT: u32 = 1u;

/// Element `at` and its three neighbours; what lies behind `at + last` is not there, and that one is repeated.
fn x_four(at: u32, last: u32) -> vec4<f32> {
    return vec4<f32>(x[at], x[at + min(1u, last)], x[at + min(2u, last)], x[at + min(3u, last)]);
}

fn dy_four(at: u32, last: u32) -> vec4<f32> {
    return vec4<f32>(dy[at], dy[at + min(1u, last)], dy[at + min(2u, last)], dy[at + min(3u, last)]);
}
