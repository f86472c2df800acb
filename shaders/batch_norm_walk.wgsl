
// How the sums of batch normalization walk through a channel: its elements in the valid rows, image by image, LANES
// at a step, cut into shares of params.share elements.

/// A step's place in a channel: the image, and the step inside that image's plane.
struct Walk {
    image: u32,
    column: u32,
}

/// The first step of a share and the one behind its last; none where rows are padding.
fn steps_of(share: u32) -> vec2<u32> {
    let all = step.valid_rows * params.pixels;
    let first = min(share * params.share, all);
    return vec2<u32>(first, min(first + params.share, all)) / LANES;
}

/// Steps of a channel in all rows.
fn steps_of_all() -> u32 {
    return params.n * (params.pixels / LANES);
}

fn walk_to(s: u32) -> Walk {
    let steps = params.pixels / LANES;
    return Walk(s / steps, s % steps);
}

fn next(walk: Walk) -> Walk {
    let last = walk.column + 1u == params.pixels / LANES;
    return Walk(walk.image + u32(last), select(walk.column + 1u, 0u, last));
}

/// Where it lies in a buffer of `channels` channels, of which the walk's is number `channel`.
fn at(walk: Walk, channels: u32, channel: u32) -> u32 {
    return (walk.image * channels + channel) * (params.pixels / LANES) + walk.column;
}
