// decay_weights: w -= decay * w over a flat block of weights, before the rule's own step (Loshchilov and Hutter
// 2019, as Keras 3 does it).
//
// w (count / 4) vectors; metrics (4): where metrics[2] is not zero a loss was not finite and nothing changes.
// An invocation owns four weights.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> metrics: array<f32>;
@group(0) @binding(3) var<storage, read_write> w: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn decay_weights(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u && metrics[2] == 0.0 {
        w[i] = w[i] - step.decay * w[i];
    }
}
