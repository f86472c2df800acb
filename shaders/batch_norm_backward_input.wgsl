// batch_norm_backward_input: grad_x = slope (dy - offset - (x - mean) tilt), with a channel's four coefficients from
// batch_norm_backward_merge; slope dy where the statistics are constants. Zero in rows of padding, and where the ReLU
// before (relu_mask) was closed.
//
// x (n, x_channels, pixels), dy (n, y_channels, pixels) and relu_mask (n, mask_channels, pixels), of which c channels
// from their first on; coefficients (c) vectors (mean, slope, offset, tilt); grad_x (n, c, pixels). An invocation
// owns LANES neighbours of grad_x.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<Lanes>;
@group(0) @binding(3) var<storage, read> dy: array<Lanes>;
@group(0) @binding(4) var<storage, read> coefficients: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> relu_mask: array<Lanes>;
@group(0) @binding(6) var<storage, read_write> grad_x: array<Lanes>;

@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_input(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let steps = params.pixels / LANES;
    if i < params.n * params.c * steps {
        let n = i / steps / params.c;
        let place = i / steps % params.c;
        let column = i % steps;
        var gradient = Lanes();
        if n < step.valid_rows {
            let four = coefficients[feature_at(place)];
            gradient = dy[(n * params.y_channels + params.y_first + place) * steps + column];
            if params.constant == 0u {
                let value = x[(n * params.x_channels + params.x_first + place) * steps + column];
                gradient -= Lanes(four.z) + (value - Lanes(four.x)) * four.w;
            }
            gradient *= four.y;
            if params.masked != 0u {
                let mask = relu_mask[(n * params.mask_channels + params.mask_first + place) * steps + column];
                gradient = select(Lanes(), gradient, mask > Lanes());
            }
        }
        grad_x[i] = gradient;
    }
}
