// batch_norm_statistics: mean and (biased) variance of each channel over each share of its elements in valid rows.
//
// x (n, x_channels, pixels), of which c channels from x_first on; mean, variance (shares, c), zero for a share of
// padding alone. An invocation owns one share of one channel (naive), or a workgroup does (tree).
//
// Two passes: the first finds a number near the mean, that of the share's first eighth, the second sums differences d
// from it. Their mean corrects both results (Chan, Golub and LeVeque 1983): mean = about + sum(d) / count,
// variance = sum(d d) / count - (sum(d) / count)^2. So a mean of 1e4 costs no accuracy, and the worst of first eighths
// three bits: its distance from the mean is part of the variance, an eighth of it squared at the least.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<Lanes>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> variance: array<f32>;

/// The step behind those that are looked at first: an eighth of the share's elements, in fours.
fn sample_end(steps: vec2<u32>) -> u32 {
    return min(steps.x + ((steps.y - steps.x) * LANES + 31u) / 32u * 4u / LANES, steps.y);
}

/// How many elements these steps have, or one of none.
fn count_of(steps: vec2<u32>) -> f32 {
    return f32(max((steps.y - steps.x) * LANES, 1u));
}

/// Stores what (sum(d), sum(d d)) of the differences from `about` say.
fn store(i: u32, about: f32, sums: vec2<f32>, count: f32) {
    let shift = sums.x / count;
    mean[i] = about + shift;
    variance[i] = relu(sums.y / count - shift * shift);
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_statistics(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.shares * params.c {
        let channel = params.x_first + place_of(i % params.c);
        let steps = steps_of(i / params.c);
        let sample = vec2<u32>(steps.x, sample_end(steps));
        var sum = Lanes();
        var walk = walk_to(steps.x);
        for (var s = sample.x; s < sample.y; s += 1u) {
            sum += x[at(walk, params.x_channels, channel)];
            walk = next(walk);
        }
        let about = settled(total(sum) / count_of(sample));
        var first = Lanes();
        var second = Lanes();
        walk = walk_to(steps.x);
        for (var s = steps.x; s < steps.y; s += 1u) {
            let d = x[at(walk, params.x_channels, channel)] - Lanes(about);
            first += d;
            second += d * d;
            walk = next(walk);
        }
        store(i, about, vec2<f32>(total(first), total(second)), count_of(steps));
    }
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_statistics_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups);
    let inside = i < params.shares * params.c;
    let channel = params.x_first + place_of(i % params.c);
    let steps = select(vec2<u32>(), steps_of(i / params.c), inside);
    let sample = vec2<u32>(steps.x, sample_end(steps));
    var sum = Lanes();
    for (var s = sample.x + local; s < sample.y; s += WORKGROUP) {
        sum += x[at(walk_to(s), params.x_channels, channel)];
    }
    let about = settled(sum_of_group(local, vec2<f32>(total(sum), 0.0)).x / count_of(sample));
    workgroupBarrier();
    var first = Lanes();
    var second = Lanes();
    for (var s = steps.x + local; s < steps.y; s += WORKGROUP) {
        let d = x[at(walk_to(s), params.x_channels, channel)] - Lanes(about);
        first += d;
        second += d * d;
    }
    let sums = sum_of_group(local, vec2<f32>(total(first), total(second)));
    if inside && local == 0u {
        store(i, about, sums, count_of(steps));
    }
}
