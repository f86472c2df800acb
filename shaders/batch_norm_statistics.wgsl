// batch_norm_statistics: mean and (biased) variance of each channel over each share of its elements in valid rows
// (batch_norm_moments.wgsl).
//
// x (n, x_channels, pixels), of which c channels from x_first on; mean, variance (shares, c), zero for a share of
// padding alone. An invocation owns one share of one channel (naive), or a workgroup does (tree).

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<Lanes>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> variance: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn batch_norm_statistics(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.shares * params.c {
        let both = moments_of(params.x_first + place_of(i % params.c), steps_of(i / params.c));
        mean[i] = both.x;
        variance[i] = both.y;
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
    let both = moments_by_group(channel, steps, local);
    if inside && local == 0u {
        mean[i] = both.x;
        variance[i] = both.y;
    }
}
