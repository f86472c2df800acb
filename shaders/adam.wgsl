// adam: m += (g - m) gain1, v += (g^2 - v) gain2, w -= rate * m / (sqrt(v) + epsilon), gain = 1 - beta,
// with the bias correction in the rate (Kingma and Ba 2015, as Keras 3 computes it).
//
// g, w, m, v (count / 4) vectors of four weights; metrics (4): where metrics[2] is not zero a
// loss was not finite and nothing changes. An invocation owns four weights.

struct Params {
    count: u32,
    gain1: f32,
    gain2: f32,
    epsilon: f32,
}

struct Step {
    step: u32,
    valid_rows: u32,
    rate: f32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> metrics: array<f32>;
@group(0) @binding(4) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> v: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn adam(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u && metrics[2] == 0.0 {
        let gradient = g[i];
        // Each word is read once: a second read is a second load on software adapters.
        let old_m = m[i];
        let old_v = v[i];
        let first = old_m + (gradient - old_m) * params.gain1;
        let second = old_v + (gradient * gradient - old_v) * params.gain2;
        m[i] = first;
        v[i] = second;
        w[i] -= step.rate * first / (sqrt(second) + params.epsilon);
    }
}
