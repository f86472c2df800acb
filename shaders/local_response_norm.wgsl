// local_response_norm: y[c] = x[c] s[c]^-beta, where s[c] = k + rate (sum of x[j]^2 over the channels j around c).
// Its gradient: grad_x[c] = dy[c] s[c]^-beta - 2 rate beta x[c] (sum of dy[j] x[j] s[j]^(-beta - 1) over the j that see c).
//
// Channel c sees those from c - (size - 1) / 2 to c + size / 2 that there are. x (n, x_channels, pixels) and y, dy
// (n, y_channels, pixels), of which c channels from x_first and y_first on; grad_x (n, c, pixels). An invocation owns
// LANES neighbours of one channel; it finds s anew for each channel that it looks at.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Lanes>;
@group(0) @binding(2) var<storage, read_write> y: array<Lanes>;

@group(0) @binding(2) var<storage, read> dy: array<Lanes>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<Lanes>;

/// The channels that `c` sees, and those that see it where the reach is mirrored: the first, and the one behind the last.
fn reach(c: u32, before: u32, after: u32) -> vec2<u32> {
    return vec2<u32>(max(c, before) - before, min(c + after + 1u, params.c));
}

/// What LANES neighbours of channel `c` are divided by, to the power beta; `start` is where channel 0 has them.
fn scale(start: u32, c: u32) -> Lanes {
    let seen = reach(c, (params.size - 1u) / 2u, params.size / 2u);
    var sum = Lanes();
    for (var j = seen.x; j < seen.y; j += 1u) {
        let value = x[start + j * (params.pixels / LANES)];
        sum += value * value;
    }
    return Lanes(params.k) + params.rate * sum;
}

/// s^exponent of positive numbers
fn power(s: Lanes, exponent: f32) -> Lanes {
    return exp2(exponent * log2(s));
}

@compute @workgroup_size(WORKGROUP)
fn local_response_norm_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let steps = params.pixels / LANES;
    if i < params.n * params.c * steps {
        let n = i / steps / params.c;
        let c = i / steps % params.c;
        let start = (n * params.x_channels + params.x_first) * steps + i % steps;
        let value = x[start + c * steps] * power(scale(start, c), -params.beta);
        y[(n * params.y_channels + params.y_first + c) * steps + i % steps] = value;
    }
}

@compute @workgroup_size(WORKGROUP)
fn local_response_norm_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let steps = params.pixels / LANES;
    if i < params.n * params.c * steps {
        let n = i / steps / params.c;
        let c = i / steps % params.c;
        let start = (n * params.x_channels + params.x_first) * steps + i % steps;
        let gradients = (n * params.y_channels + params.y_first) * steps + i % steps;
        let sees = reach(c, params.size / 2u, (params.size - 1u) / 2u);
        var sum = Lanes();
        for (var j = sees.x; j < sees.y; j += 1u) {
            let share = power(scale(start, j), -params.beta - 1.0);
            sum += dy[gradients + j * steps] * x[start + j * steps] * share;
        }
        let own = dy[gradients + c * steps] * power(scale(start, c), -params.beta);
        grad_x[i] = own - 2.0 * params.rate * params.beta * x[start + c * steps] * sum;
    }
}
