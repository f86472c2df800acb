// sgd, sgd_momentum: stochastic gradient descent over a flat block of weights, as Keras 3 computes it.
//
// sgd:          w -= rate * g
// sgd_momentum: momentum = decay * momentum - rate * g, w += kept * momentum - ahead * g
//
// The step's scalars: rate, decay, kept, ahead. Plain momentum has kept 1, ahead 0; Nesterov's, which steps on
// to where the momentum leads, has kept = decay, ahead = rate: one formula for both, without a branch.
//
// g, w, momentum (count / 4) vectors of four weights; metrics (4): where metrics[2] is not zero a loss was not
// finite and nothing changes. An invocation owns four weights.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> metrics: array<f32>;
@group(0) @binding(4) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> momentum: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn sgd(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u && metrics[2] == 0.0 {
        w[i] = w[i] - step.rule0 * g[i];
    }
}

@compute @workgroup_size(WORKGROUP)
fn sgd_momentum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u && metrics[2] == 0.0 {
        // All are loaded before the first store, so that the loads overlap.
        let weight = w[i];
        let gradient = g[i];
        let velocity = step.rule1 * momentum[i] - step.rule0 * gradient;
        momentum[i] = velocity;
        w[i] = weight + (step.rule2 * velocity - step.rule3 * gradient);
    }
}
