// Mean and (biased) variance of a channel over the steps of a share, zero where that has none.
//
// Two passes: the first finds a number near the mean, that of the share's first eighth, the second sums differences d
// from it. Their mean corrects both results (Chan, Golub and LeVeque 1983): mean = about + sum(d) / count,
// variance = sum(d d) / count - (sum(d) / count)^2. So a mean of 1e4 costs no accuracy, and the worst of first eighths
// three bits: its distance from the mean is part of the variance, an eighth of it squared at the least.
//
// It needs of the kernel's own text: WORKGROUP, and x (n, x_channels, pixels). Zeros are Lanes(0.0): Lanes() beside
// vec4<f32>() in one module has naga write HLSL that defines a function twice.

/// The step behind those that are looked at first: an eighth of the share's elements, in fours.
fn sample_end(steps: vec2<u32>) -> u32 {
    return min(steps.x + ((steps.y - steps.x) * LANES + 31u) / 32u * 4u / LANES, steps.y);
}

/// How many elements these steps have, or one of none.
fn count_of(steps: vec2<u32>) -> f32 {
    return f32(max((steps.y - steps.x) * LANES, 1u));
}

/// Mean and variance by (sum(d), sum(d d)) of the differences from `about`.
fn moments(about: f32, sums: vec2<f32>, count: f32) -> vec2<f32> {
    let shift = sums.x / count;
    return vec2<f32>(about + shift, relu(sums.y / count - shift * shift));
}

/// By one invocation.
fn moments_of(channel: u32, steps: vec2<u32>) -> vec2<f32> {
    let sample = vec2<u32>(steps.x, sample_end(steps));
    var sum = Lanes(0.0);
    var walk = walk_to(steps.x);
    for (var s = sample.x; s < sample.y; s += 1u) {
        sum += x[at(walk, params.x_channels, channel)];
        walk = next(walk);
    }
    let about = settled(total(sum) / count_of(sample));
    var first = Lanes(0.0);
    var second = Lanes(0.0);
    walk = walk_to(steps.x);
    for (var s = steps.x; s < steps.y; s += 1u) {
        let d = x[at(walk, params.x_channels, channel)] - Lanes(about);
        first += d;
        second += d * d;
        walk = next(walk);
    }
    return moments(about, vec2<f32>(total(first), total(second)), count_of(steps));
}

/// By a workgroup, for each of its invocations.
fn moments_by_group(channel: u32, steps: vec2<u32>, local: u32) -> vec2<f32> {
    let sample = vec2<u32>(steps.x, sample_end(steps));
    var sum = Lanes(0.0);
    for (var s = sample.x + local; s < sample.y; s += WORKGROUP) {
        sum += x[at(walk_to(s), params.x_channels, channel)];
    }
    let about = settled(sum_of_group(local, vec2<f32>(total(sum), 0.0)).x / count_of(sample));
    workgroupBarrier();
    var first = Lanes(0.0);
    var second = Lanes(0.0);
    for (var s = steps.x + local; s < steps.y; s += WORKGROUP) {
        let d = x[at(walk_to(s), params.x_channels, channel)] - Lanes(about);
        first += d;
        second += d * d;
    }
    let sums = sum_of_group(local, vec2<f32>(total(first), total(second)));
    return moments(about, sums, count_of(steps));
}
