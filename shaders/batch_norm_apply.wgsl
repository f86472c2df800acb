// batch_norm_apply: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, then ReLU where asked; gamma is 1 without
// params.scale, beta 0 without params.center.
//
// x (n, x_channels, pixels) and y (n, y_channels, pixels), of which c channels from x_first and y_first on;
// mean, variance, gamma, beta (c). An invocation owns LANES neighbours of y.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<Lanes>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> variance: array<f32>;
@group(0) @binding(4) var<storage, read> gamma: array<f32>;
@group(0) @binding(5) var<storage, read> beta: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<Lanes>;

@compute @workgroup_size(WORKGROUP)
fn batch_norm_apply(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let steps = params.pixels / LANES;
    if i < params.n * params.c * steps {
        let n = i / steps / params.c;
        let place = i / steps % params.c;
        let c = feature_at(place);
        var slope = inverseSqrt(variance[c] + params.epsilon);
        if params.scale != 0u {
            slope *= gamma[c];
        }
        let start = (n * params.x_channels + params.x_first + place) * steps + i % steps;
        var value = (x[start] - Lanes(mean[c])) * slope;
        if params.center != 0u {
            value += Lanes(beta[c]);
        }
        if params.relu != 0u {
            value = relu_lanes(value);
        }
        y[(n * params.y_channels + params.y_first + place) * steps + i % steps] = value;
    }
}
