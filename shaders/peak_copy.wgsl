// peak_copy: y = x, and peak_update: z = -z in place, the ceilings of memory traffic. A cache that
// loads what is about to be overwritten makes a copy move three bytes for two that count.
//
// A workgroup owns consecutive elements: WORKGROUP floats, WORKGROUP vectors of four, or 4 TURNS times
// as many vectors, of which an invocation takes every WORKGROUP-th. Many of them suit software
// adapters, where a workgroup costs as much as a kilobyte.

struct Params {
    /// Vectors of four to copy.
    vectors: u32,
}

override WORKGROUP: u32;
override TURNS: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> x4: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y4: array<vec4<f32>>;

@group(0) @binding(1) var<storage, read_write> z4: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn peak_copy_float(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < 4u * params.vectors {
        y[i] = x[i];
    }
}

@compute @workgroup_size(WORKGROUP)
fn peak_copy_vector(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.vectors {
        y4[i] = x4[i];
    }
}

/// Four vectors at a time, as often as TURNS says.
@compute @workgroup_size(WORKGROUP)
fn peak_copy_vectors(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = workgroup_index(group, groups) * (4u * TURNS * WORKGROUP) + local;
    for (var turn = 0u; turn < TURNS; turn++) {
        let i = first + turn * (4u * WORKGROUP);
        if i + 3u * WORKGROUP < params.vectors {
            let a = x4[i];
            let b = x4[i + WORKGROUP];
            let c = x4[i + 2u * WORKGROUP];
            let d = x4[i + 3u * WORKGROUP];
            y4[i] = a;
            y4[i + WORKGROUP] = b;
            y4[i + 2u * WORKGROUP] = c;
            y4[i + 3u * WORKGROUP] = d;
        } else {
            for (var at = i; at < min(params.vectors, i + 4u * WORKGROUP); at += WORKGROUP) {
                y4[at] = x4[at];
            }
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn peak_update(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = workgroup_index(group, groups) * (TURNS * WORKGROUP) + local;
    for (var turn = 0u; turn < TURNS; turn++) {
        let i = first + turn * WORKGROUP;
        if i < params.vectors {
            z4[i] = -z4[i];
        }
    }
}
