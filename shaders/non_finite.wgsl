// non_finite: counts[i] = how many of x's values of share i are infinite or NaN.
//
// x (count), read in vectors of four, counts (SHARES). A workgroup owns a run of consecutive
// vectors, a multiple of WORKGROUP of them: neighbours read neighbours, and a core reads on and
// on. An invocation owns every WORKGROUP-th vector of the run and the one count that it writes;
// the host adds the counts up, so nothing is shared.

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
    let vectors = params.count / 4u;
    let rounds = (vectors + SHARES - 1u) / SHARES;
    let owner = workgroup_index(group, groups);
    let share = owner * WORKGROUP + local;
    if share < SHARES {
        var found = vec4<f32>();
        for (var round = 0u; round < rounds; round++) {
            let i = (owner * rounds + round) * WORKGROUP + local;
            if i < vectors {
                let bits = bitcast<vec4<u32>>(x[i]) & EXPONENT;
                found += select(vec4<f32>(), vec4<f32>(1.0), bits == EXPONENT);
            }
        }
        counts[share] = found.x + found.y + found.z + found.w;
    }
}
