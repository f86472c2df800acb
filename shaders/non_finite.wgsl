// non_finite: counts[i] = how many of x's values of share i are infinite or NaN.
//
// x (count), read in vectors of four, counts (SHARES). Share i holds the vectors i, i + SHARES,
// i + 2 SHARES, ...: neighbours read neighbouring vectors. An invocation owns one share and the
// one count that it writes; the host adds the counts up, so nothing is shared.

struct Params {
    count: u32,
}

override WORKGROUP: u32;
override SHARES: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> counts: array<f32>;

/// The exponent of what is infinite or NaN: a compiler may assume that no number is one, but not
/// that no bits are.
const EXPONENT: vec4<u32> = vec4<u32>(0x7f800000u);

@compute @workgroup_size(WORKGROUP)
fn non_finite(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let share = workgroup_index(group, groups) * WORKGROUP + local;
    if share < SHARES {
        var found = vec4<f32>();
        for (var i = share; i < params.count / 4u; i += SHARES) {
            let bits = bitcast<vec4<u32>>(x[i]) & EXPONENT;
            found += select(vec4<f32>(), vec4<f32>(1.0), bits == EXPONENT);
        }
        counts[share] = found.x + found.y + found.z + found.w;
    }
}
