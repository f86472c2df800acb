// activation over channel ranges of NCHW buffers: y = f(x), NaN staying NaN; grad_x = dy f'(x), from the output y
// where f' follows from it, else from x.
//
//   relu6        min(max(x, 0), 6)                    by y: 1 where 0 < y < 6, else 0
//   leaky_relu   x where x > 0, else 0.2 x            by y: 1 where y > 0, else 0.2
//   elu          x where x > 0, else exp(x) - 1       by y: 1 where y > 0, else y + 1
//   sigmoid      s(x) = 1 / (1 + exp(-x))             by y: y (1 - y)
//   tanh         tanh(x)                              by y: (1 - y) (1 + y)
//   silu         x s(x)                               by x: s(x) (1 + x s(-x))
//   gelu         x P(x), P(x) = erfc(-x / sqrt 2) / 2 by x: P(x) + x exp(-x x / 2) / sqrt(2 pi)
//
// No exponential is taken of a positive number, so none overflows; WGSL's own tanh may, and is allowed to be off by
// 1e-5. Every buffer is (n, its own channels, pixels); the kernel covers c channels of each, from its `first` on. An
// invocation owns one element; a workgroup owns WORKGROUP consecutive ones.

struct Params {
    n: u32,
    c: u32,
    pixels: u32,
    a_channels: u32,
    a_first: u32,
    b_channels: u32,
    b_first: u32,
    y_channels: u32,
    y_first: u32,
    curve: u32,
}

override WORKGROUP: u32;

/// ops::activation::Curve, by number.
const RELU6 = 0u;
const LEAKY_RELU = 1u;
const ELU = 2u;
const SIGMOID = 3u;
const TANH = 4u;
const SILU = 5u;

/// Keras's `negative_slope` of leaky_relu.
const SLOPE = 0.2;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
/// The output of the forward pass, or of silu and gelu its input.
@group(0) @binding(2) var<storage, read> kept: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<f32>;

/// Where element i = (n, c, pixel) of the kernel lies in a buffer of `channels` channels.
fn at(i: u32, channels: u32, first: u32) -> u32 {
    let plane = i / params.pixels;
    let n = plane / params.c;
    let c = plane % params.c;
    return (n * channels + first + c) * params.pixels + i % params.pixels;
}

/// By its bits: a compiler may assume that there is none.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

/// exp(x) - 1 for x <= 0: near zero by its series, whose next term is x^8 / 8!, 2^-22 of the whole at -1/2.
fn expm1(x: f32) -> f32 {
    if x < -0.5 {
        return exp(x) - 1.0;
    }
    var h = 1.0 + x * (1.0 / 7.0);
    h = 1.0 + x * (1.0 / 6.0) * h;
    h = 1.0 + x * (1.0 / 5.0) * h;
    h = 1.0 + x * (1.0 / 4.0) * h;
    h = 1.0 + x * (1.0 / 3.0) * h;
    h = 1.0 + x * (1.0 / 2.0) * h;
    return x * h;
}

fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(1.0, e, x < 0.0) / (1.0 + e);
}

/// With m = exp(-2 |x|) - 1: -m / (2 + m), of the sign of x. From 20 on that is 1.
fn stable_tanh(x: f32) -> f32 {
    let m = expm1(-2.0 * min(abs(x), 20.0));
    let y = -m / (2.0 + m);
    return select(y, -y, x < 0.0);
}

/// erfc(z) for z >= 0, off by less than 1.2e-7 of it: Press et al., Numerical Recipes, section 6.2, `erfcc`.
/// From 20 on it is zero in f32, and the square would overflow.
fn erfc(distance: f32) -> f32 {
    let z = min(distance, 20.0);
    let t = 1.0 / (1.0 + 0.5 * z);
    var p = 0.17087277;
    p = -0.82215223 + t * p;
    p = 1.48851587 + t * p;
    p = -1.13520398 + t * p;
    p = 0.27886807 + t * p;
    p = -0.18628806 + t * p;
    p = 0.09678418 + t * p;
    p = 0.37409196 + t * p;
    p = 1.00002368 + t * p;
    p = -1.26551223 + t * p;
    return t * exp(p - z * z);
}

/// P(x): the share of a normal distribution below x.
fn normal(x: f32) -> f32 {
    let behind = 0.5 * erfc(0.70710678 * abs(x));
    return select(1.0 - behind, behind, x < 0.0);
}

/// f(x)
fn value(x: f32) -> f32 {
    switch params.curve {
        case RELU6: { return clamp(x, 0.0, 6.0); }
        case LEAKY_RELU: { return select(SLOPE * x, x, x > 0.0); }
        case ELU: {
            if x > 0.0 {
                return x;
            }
            return expm1(x);
        }
        case SIGMOID: { return sigmoid(x); }
        case TANH: { return stable_tanh(x); }
        case SILU: { return x * sigmoid(x); }
        default: { return x * normal(x); }
    }
}

/// f'(x), from v: y or x.
fn slope(v: f32) -> f32 {
    switch params.curve {
        case RELU6: { return select(0.0, 1.0, (v > 0.0) & (v < 6.0)); }
        case LEAKY_RELU: { return select(SLOPE, 1.0, v > 0.0); }
        case ELU: { return select(v + 1.0, 1.0, v > 0.0); }
        case SIGMOID: { return v * (1.0 - v); }
        case TANH: { return (1.0 - v) * (1.0 + v); }
        case SILU: { return sigmoid(v) * (1.0 + v * sigmoid(-v)); }
        default: {
            // Where the exponential is zero, the square must not overflow.
            let near = min(abs(v), 20.0);
            return normal(v) + 0.39894228 * v * exp(-0.5 * near * near);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn activation_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.n * params.c * params.pixels {
        let own = x[at(i, params.a_channels, params.a_first)];
        var result = own;
        if !is_nan(own) {
            result = value(own);
        }
        y[at(i, params.y_channels, params.y_first)] = result;
    }
}

@compute @workgroup_size(WORKGROUP)
fn activation_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.n * params.c * params.pixels {
        let gradient = dy[at(i, params.a_channels, params.a_first)];
        grad_x[at(i, params.y_channels, params.y_first)] =
            gradient * slope(kept[at(i, params.b_channels, params.b_first)]);
    }
}
