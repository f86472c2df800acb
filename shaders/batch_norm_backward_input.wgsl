// batch_norm_backward_input: grad_x = slope (dy - offset - (x - mean) tilt), with a channel's four coefficients from
// batch_norm_backward_merge; slope dy where the statistics are constants. Zero in rows of padding, and where the ReLU
// before (relu_mask) was closed.
//
// x (n, x_channels, pixels), dy (n, y_channels, pixels) and relu_mask (n, mask_channels, pixels), of which c channels
// from their first on; coefficients (c) vectors (mean, slope, offset, tilt); grad_x (n, grad_channels, pixels), likewise.
// An invocation owns LANES neighbours of grad_x, or a whole plane of a channel (planes), for which it loads the
// coefficients once.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<Lanes>;
@group(0) @binding(3) var<storage, read> dy: array<Lanes>;
@group(0) @binding(4) var<storage, read> coefficients: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> relu_mask: array<Lanes>;
@group(0) @binding(6) var<storage, read_write> grad_x: array<Lanes>;

/// Where the planes of a channel of an image begin, in Lanes.
struct Starts {
    x: u32,
    dy: u32,
    mask: u32,
    gradient: u32,
}

fn starts_of(n: u32, place: u32, steps: u32) -> Starts {
    return Starts(
        (n * params.x_channels + params.x_first + place) * steps,
        (n * params.y_channels + params.y_first + place) * steps,
        (n * params.mask_channels + params.mask_first + place) * steps,
        (n * params.grad_channels + params.grad_first + place) * steps,
    );
}

/// The gradient of x at a step of a plane.
fn gradient_at(four: vec4<f32>, starts: Starts, step: u32) -> Lanes {
    var gradient = dy[starts.dy + step];
    if params.constant == 0u {
        gradient = gradient_of(four, gradient, x[starts.x + step]);
    } else {
        gradient *= four.y;
    }
    if params.masked != 0u {
        gradient = select(Lanes(), gradient, relu_mask[starts.mask + step] > Lanes());
    }
    return gradient;
}

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
        let starts = starts_of(n, place, steps);
        var gradient = Lanes();
        if n < step.valid_rows {
            gradient = gradient_at(coefficients[feature_at(place)], starts, i % steps);
        }
        grad_x[starts.gradient + i % steps] = gradient;
    }
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_input_planes(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let plane = workgroup_index(group, groups) * WORKGROUP + local;
    let steps = params.pixels / LANES;
    if plane < params.n * params.c {
        let n = plane / params.c;
        let place = plane % params.c;
        let four = coefficients[feature_at(place)];
        let starts = starts_of(n, place, steps);
        for (var s = 0u; s < steps; s += TURN) {
            for (var k = 0u; k < TURN; k += 1u) {
                // Behind the last step that one is done again.
                let at = min(s + k, steps - 1u);
                var gradient = Lanes();
                if n < step.valid_rows {
                    gradient = gradient_at(four, starts, at);
                }
                grad_x[starts.gradient + at] = gradient;
            }
        }
    }
}
