// rmsprop, rmsprop_momentum: RMSprop (Hinton 2012, as Keras 3 computes it) over a flat block of weights.
//
// rmsprop:          velocity += (g^2 - velocity) gain, w -= rate * g / sqrt(velocity + epsilon)
// rmsprop_momentum: the same, but w -= momentum, momentum = kept * momentum + rate * g / sqrt(velocity + epsilon)
//
// The step's scalars: rate, gain = 1 - rho, kept, epsilon.
//
// g, w, velocity, momentum (count / 4) vectors of four weights; metrics (4): where metrics[2] is not zero a loss
// was not finite and nothing changes. An invocation owns four weights.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> metrics: array<f32>;
@group(0) @binding(4) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> velocity: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> momentum: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn rmsprop(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u && metrics[2] == 0.0 {
        // All are loaded before the first store, so that the loads overlap.
        let weight = w[i];
        let gradient = g[i];
        let mean = velocity[i];
        let square = mean + (gradient * gradient - mean) * step.rule1;
        velocity[i] = square;
        w[i] = weight - step.rule0 * gradient / sqrt(square + step.rule3);
    }
}

@compute @workgroup_size(WORKGROUP)
fn rmsprop_momentum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u && metrics[2] == 0.0 {
        let weight = w[i];
        let gradient = g[i];
        let mean = velocity[i];
        let moved = momentum[i];
        let square = mean + (gradient * gradient - mean) * step.rule1;
        let next = step.rule2 * moved + step.rule0 * gradient / sqrt(square + step.rule3);
        velocity[i] = square;
        momentum[i] = next;
        w[i] = weight - next;
    }
}
