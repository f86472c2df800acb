// batch_norm_merge: mean and variance of each channel from those of its shares.
//
// means, variances (shares, c); mean, variance (c). A share counts by its elements in valid rows. As in
// batch_norm_statistics a first pass finds a number near the mean and a second sums differences d from it:
// mean = about + sum(count d) / all, variance = sum(count (variance + d d)) / all - (sum(count d) / all)^2.
// An invocation owns a channel (naive), or a workgroup does (tree).

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read> variances: array<f32>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> variance: array<f32>;

/// Elements of a channel in a share.
fn count_of(share: u32) -> f32 {
    let all = step.valid_rows * params.pixels;
    let first = min(share * params.share, all);
    return f32(min(first + params.share, all) - first);
}

/// Elements of a channel.
fn count_of_all() -> f32 {
    return f32(max(step.valid_rows * params.pixels, 1u));
}

/// What a share adds to the sums about `about`.
fn terms(share: u32, c: u32, about: f32) -> vec2<f32> {
    let i = share * params.c + c;
    let d = means[i] - about;
    return count_of(share) * vec2<f32>(d, variances[i] + d * d);
}

fn store(c: u32, about: f32, sums: vec2<f32>) {
    let all = count_of_all();
    let shift = sums.x / all;
    mean[c] = about + shift;
    variance[c] = relu(sums.y / all - shift * shift);
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_merge(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = workgroup_index(group, groups) * WORKGROUP + local;
    if c < params.c {
        var sum = 0.0;
        for (var share = 0u; share < params.shares; share += 1u) {
            sum += count_of(share) * means[share * params.c + c];
        }
        let about = settled(sum / count_of_all());
        var sums = vec2<f32>();
        for (var share = 0u; share < params.shares; share += 1u) {
            sums += terms(share, c, about);
        }
        store(c, about, sums);
    }
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_merge_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = workgroup_index(group, groups);
    let shares = select(0u, params.shares, c < params.c);
    var sum = 0.0;
    for (var share = local; share < shares; share += WORKGROUP) {
        sum += count_of(share) * means[share * params.c + c];
    }
    let about = settled(sum_of_group(local, vec2<f32>(sum, 0.0)).x / count_of_all());
    workgroupBarrier();
    var sums = vec2<f32>();
    for (var share = local; share < shares; share += WORKGROUP) {
        sums += terms(share, c, about);
    }
    sums = sum_of_group(local, sums);
    if c < params.c && local == 0u {
        store(c, about, sums);
    }
}
