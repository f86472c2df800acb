// adam: the optimiser's formula (adam_rule.wgsl) over a flat block of weights.
//
// g, w, moment1, moment2 (count / 4) vectors of four weights; metrics (4): where metrics[2] is not zero a
// loss was not finite and nothing changes. An invocation owns four weights.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> metrics: array<f32>;
@group(0) @binding(4) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> moment1: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> moment2: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn adam(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u && metrics[2] == 0.0 {
        apply(i, g[i]);
    }
}
