// batch_norm_backward_merge: the gradients of gamma and beta from the sums of the shares, and what the gradient of x
// is made of (batch_norm_backward_result.wgsl), channel by channel.
//
// sums (shares, 2, c); mean, variance, gamma, grad_gamma, grad_beta (c); coefficients (c) vectors (mean, slope,
// offset, tilt). An invocation owns a channel (naive), or a workgroup does (tree).

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<f32>;
@group(0) @binding(6) var<storage, read_write> grad_gamma: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_beta: array<f32>;
@group(0) @binding(8) var<storage, read_write> coefficients: array<vec4<f32>>;

/// Stores what the sums of a channel make.
fn store(c: u32, totals: vec2<f32>) {
    store_gradients(c, totals);
    coefficients[c] = coefficients_of(c, totals);
}

fn sums_of(share: u32, c: u32) -> vec2<f32> {
    return vec2<f32>(sums[2u * share * params.c + c], sums[(2u * share + 1u) * params.c + c]);
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_merge(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = workgroup_index(group, groups) * WORKGROUP + local;
    if c < params.c {
        var totals = vec2<f32>();
        for (var share = 0u; share < params.shares; share += 1u) {
            totals += sums_of(share, c);
        }
        store(c, totals);
    }
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_merge_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = workgroup_index(group, groups);
    let shares = select(0u, params.shares, c < params.c);
    var totals = vec2<f32>();
    for (var share = local; share < shares; share += WORKGROUP) {
        totals += sums_of(share, c);
    }
    totals = sum_of_group(local, totals);
    if c < params.c && local == 0u {
        store(c, totals);
    }
}
