// accumulate, l2_gradient, clip_value: what happens to the gradients of a flat block of weights before the rule spends
// them.
//
// accumulate:  g = earlier + g, the gradients of the shards before
// l2_gradient: g += factor * w, the gradient of factor / 2 times the sum of the squares
// clip_value:  g = min(max(g, -factor), factor), NaN staying NaN
//
// g, earlier, w (count / 4) vectors. An invocation owns four words.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read_write> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;

@group(0) @binding(2) var<storage, read> earlier: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn l2_gradient(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u {
        g[i] = g[i] + params.factor * w[i];
    }
}

@compute @workgroup_size(WORKGROUP)
fn clip_value(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u {
        // By bits: a compiler may assume that there is no NaN, and hide it behind the limit.
        let bits = bitcast<vec4<u32>>(g[i]);
        let size = bits & vec4<u32>(0x7fffffffu);
        let limit = bitcast<u32>(params.factor);
        let beyond = (size > vec4<u32>(limit)) & (size <= vec4<u32>(0x7f800000u));
        let clipped = (bits & vec4<u32>(0x80000000u)) | vec4<u32>(limit);
        g[i] = bitcast<vec4<f32>>(select(bits, clipped, beyond));
    }
}

@compute @workgroup_size(WORKGROUP)
fn accumulate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u {
        g[i] = earlier[i] + g[i];
    }
}
