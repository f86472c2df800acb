
// How the weight gradients reach rows that hold whole vectors. The kernels declare x and dy.

alias Stored = vec4<f32>;
const UNIT: u32 = 4u;

/// Four neighbours, from the Stored `at` on.
fn x_four(at: u32, last: u32) -> vec4<f32> {
    return x[at];
}

fn dy_four(at: u32, last: u32) -> vec4<f32> {
    return dy[at];
}
