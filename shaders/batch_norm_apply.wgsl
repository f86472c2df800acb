// batch_norm_apply: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, then ReLU where asked
// (batch_norm_line.wgsl).
//
// x (n, x_channels, pixels) and y (n, y_channels, pixels), of which c channels from x_first and y_first on;
// mean, variance, gamma, beta (c). An invocation owns LANES neighbours of y, or a whole plane of a channel (planes),
// for which it loads the channel's numbers once.

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
        let line = line_of(c, mean[c], variance[c]);
        let start = (n * params.x_channels + params.x_first + place) * steps + i % steps;
        let to = (n * params.y_channels + params.y_first + place) * steps + i % steps;
        y[to] = applied(line, x[start]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_apply_planes(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let plane = workgroup_index(group, groups) * WORKGROUP + local;
    let steps = params.pixels / LANES;
    if plane < params.n * params.c {
        let n = plane / params.c;
        let place = plane % params.c;
        let c = feature_at(place);
        let line = line_of(c, mean[c], variance[c]);
        let start = (n * params.x_channels + params.x_first + place) * steps;
        let to = (n * params.y_channels + params.y_first + place) * steps;
        for (var s = 0u; s < steps; s += TURN) {
            for (var k = 0u; k < TURN; k += 1u) {
                // Behind the last step that one is done again.
                let at = min(s + k, steps - 1u);
                y[to + at] = applied(line, x[start + at]);
            }
        }
    }
}
