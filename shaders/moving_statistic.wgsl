// moving_statistic: state = momentum * state + gain * shard_share * statistic over a flat block of words, gain being
// 1 - momentum: as Keras moves the averages of batch normalisation.
//
// statistic (summed over the step's shards), state (count / 4) vectors; metrics (4): where metrics[2] is not zero a loss
// was not finite and nothing changes. An invocation owns four words.

struct Params {
    count: u32,
    momentum: f32,
    gain: f32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> statistic: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> metrics: array<f32>;
@group(0) @binding(4) var<storage, read_write> state: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn moving_statistic(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u && metrics[2] == 0.0 {
        state[i] = params.momentum * state[i] + params.gain * (step.shard_share * statistic[i]);
    }
}
