// square_sums, clip_scale, scale_gradient, l2_penalty: norms of weights and gradients, in two stages: blocks of 64
// words, and ranges of blocks.
//
// square_sums:    block_sums[first + b] = the sum of v^2 over block b; an invocation owns a block.
// clip_scale:     scale[b] = limit / max(norm, limit) for the blocks b of the range, norm being the root of the sum of
//                 their sums; one workgroup owns the range.
// scale_gradient: g *= scale[first + b] in block b; an invocation owns four words.
// l2_penalty:     metrics[3] += limit * the sum of the range's sums; one workgroup owns the range.
//
// v, g (count * 16) vectors of four; sums, scale (blocks); metrics (4). Blocks are zero behind the tensors.

struct Params {
    /// Blocks that have a sum or a scale.
    blocks: u32,
    /// The range of them that is worked on.
    first: u32,
    count: u32,
    /// What the norm is to be at most, or the factor of the squares.
    limit: f32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> block_sums: array<f32>;

@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;

@group(0) @binding(2) var<storage, read_write> metrics: array<f32>;

@group(0) @binding(1) var<storage, read_write> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> factors: array<f32>;

var<workgroup> partial: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn square_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = workgroup_index(group, groups) * WORKGROUP + local;
    if block < params.count {
        var sum = vec4<f32>();
        for (var i = block * 16u; i < block * 16u + 16u; i += 1u) {
            sum += v[i] * v[i];
        }
        block_sums[params.first + block] = sum.x + sum.y + sum.z + sum.w;
    }
}

@compute @workgroup_size(WORKGROUP)
fn scale_gradient(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count * 16u {
        g[i] = g[i] * factors[params.first + i / 16u];
    }
}

/// The sum of the range's sums, for all invocations.
fn range_sum(local: u32) -> f32 {
    var sum = 0.0;
    for (var i = local; i < params.count; i += WORKGROUP) {
        sum += sums[params.first + i];
    }
    partial[local] = sum;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    return partial[0];
}

@compute @workgroup_size(WORKGROUP)
fn clip_scale(@builtin(local_invocation_index) local: u32) {
    let norm = sqrt(range_sum(local));
    let factor = params.limit / max(norm, params.limit);
    for (var i = local; i < params.count; i += WORKGROUP) {
        scale[params.first + i] = factor;
    }
}

@compute @workgroup_size(WORKGROUP)
fn l2_penalty(@builtin(local_invocation_index) local: u32) {
    let sum = range_sum(local);
    if local == 0u {
        metrics[3] += params.limit * sum;
    }
}
