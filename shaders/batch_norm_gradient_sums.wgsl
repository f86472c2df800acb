// sum(dy) and sum(dy (x - mean)) of a channel over the steps of a share.
//
// It needs of the kernel's own text: WORKGROUP, x (n, x_channels, pixels) and dy (n, y_channels, pixels), of which c
// channels from x_first and y_first on, and mean (c).

/// By one invocation.
fn sums_of(c: u32, steps: vec2<u32>) -> vec2<f32> {
    let place = place_of(c);
    let about = Lanes(mean[c]);
    var first = Lanes();
    var second = Lanes();
    var walk = walk_to(steps.x);
    for (var s = steps.x; s < steps.y; s += 1u) {
        let gradient = dy[at(walk, params.y_channels, params.y_first + place)];
        first += gradient;
        second += gradient * (x[at(walk, params.x_channels, params.x_first + place)] - about);
        walk = next(walk);
    }
    return vec2<f32>(total(first), total(second));
}

/// By a workgroup, for each of its invocations.
fn sums_by_group(c: u32, steps: vec2<u32>, local: u32) -> vec2<f32> {
    let place = place_of(c);
    let about = Lanes(mean[c]);
    var first = Lanes();
    var second = Lanes();
    for (var s = steps.x + local; s < steps.y; s += WORKGROUP) {
        let walk = walk_to(s);
        let gradient = dy[at(walk, params.y_channels, params.y_first + place)];
        first += gradient;
        second += gradient * (x[at(walk, params.x_channels, params.x_first + place)] - about);
    }
    return sum_of_group(local, vec2<f32>(total(first), total(second)));
}
