
// One element of an image at a time, for kernels that are written for any number of neighbours: where images
// hold no whole vectors.

alias Lanes = f32;
const LANES: u32 = 1u;
/// Steps at once, where an invocation takes many: three, as so many images have sides that are multiples of three.
const TURN: u32 = 3u;

fn total(lanes: Lanes) -> f32 {
    return lanes;
}

fn relu_lanes(x: Lanes) -> Lanes {
    return relu(x);
}
