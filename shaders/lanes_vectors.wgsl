
// Four neighbours of an image at a time, for kernels that are written for any number of them: where images hold
// whole vectors.

alias Lanes = vec4<f32>;
const LANES: u32 = 4u;
/// Steps at once, where an invocation takes many: three, as so many images have sides that are multiples of three.
const TURN: u32 = 3u;

fn total(lanes: Lanes) -> f32 {
    return (lanes.x + lanes.y) + (lanes.z + lanes.w);
}

fn relu_lanes(x: Lanes) -> Lanes {
    return relu4(x);
}
