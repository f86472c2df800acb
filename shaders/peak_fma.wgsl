// peak_fma: as many fused multiply-adds a second as this adapter can do, the ceiling of arithmetic.
//
// An invocation owns one element, and adds one `vectors` times to the components of 2, 3, 4 or 8
// independent vectors: enough chains to hide the latency of an FMA, few enough to stay in
// registers. All values are small integers, so the sum is exact whatever the number of chains.

struct Params {
    invocations: u32,
    /// FMAs of four components that each invocation does, a multiple of 96.
    vectors: u32,
    /// 1, which the compiler must not know.
    one: f32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read_write> y: array<f32>;

/// Chains begin apart from each other, or a compiler would do but one of them; the sum is zero.
fn start(chain: f32) -> vec4<f32> {
    let a = 2.0 * chain + 1.0;
    return vec4<f32>(a, -a, a + 1.0, -a - 1.0);
}

/// The sum of all chains and the invocation's number modulo 64.
fn store(i: u32, sums: vec4<f32>) {
    if i < params.invocations {
        y[i] = (sums.x + sums.y) + (sums.z + sums.w) + f32(i % 64u);
    }
}

@compute @workgroup_size(WORKGROUP)
fn peak_fma_2(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let one = vec4<f32>(params.one);
    var s0 = start(0.0);
    var s1 = start(1.0);
    let rounds = params.vectors / 8u;
    for (var round = 0u; round < rounds; round++) {
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
    }
    store(i, s0 + s1);
}

@compute @workgroup_size(WORKGROUP)
fn peak_fma_3(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let one = vec4<f32>(params.one);
    var s0 = start(0.0);
    var s1 = start(1.0);
    var s2 = start(2.0);
    let rounds = params.vectors / 12u;
    for (var round = 0u; round < rounds; round++) {
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
    }
    store(i, s0 + s1 + s2);
}

@compute @workgroup_size(WORKGROUP)
fn peak_fma_4(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let one = vec4<f32>(params.one);
    var s0 = start(0.0);
    var s1 = start(1.0);
    var s2 = start(2.0);
    var s3 = start(3.0);
    let rounds = params.vectors / 16u;
    for (var round = 0u; round < rounds; round++) {
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s3 = fma(s3, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s3 = fma(s3, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s3 = fma(s3, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s3 = fma(s3, one, one);
    }
    store(i, s0 + s1 + s2 + s3);
}

@compute @workgroup_size(WORKGROUP)
fn peak_fma_8(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let one = vec4<f32>(params.one);
    var s0 = start(0.0);
    var s1 = start(1.0);
    var s2 = start(2.0);
    var s3 = start(3.0);
    var s4 = start(4.0);
    var s5 = start(5.0);
    var s6 = start(6.0);
    var s7 = start(7.0);
    let rounds = params.vectors / 32u;
    for (var round = 0u; round < rounds; round++) {
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s3 = fma(s3, one, one);
        s4 = fma(s4, one, one);
        s5 = fma(s5, one, one);
        s6 = fma(s6, one, one);
        s7 = fma(s7, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s3 = fma(s3, one, one);
        s4 = fma(s4, one, one);
        s5 = fma(s5, one, one);
        s6 = fma(s6, one, one);
        s7 = fma(s7, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s3 = fma(s3, one, one);
        s4 = fma(s4, one, one);
        s5 = fma(s5, one, one);
        s6 = fma(s6, one, one);
        s7 = fma(s7, one, one);
        s0 = fma(s0, one, one);
        s1 = fma(s1, one, one);
        s2 = fma(s2, one, one);
        s3 = fma(s3, one, one);
        s4 = fma(s4, one, one);
        s5 = fma(s5, one, one);
        s6 = fma(s6, one, one);
        s7 = fma(s7, one, one);
    }
    store(i, s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
}
