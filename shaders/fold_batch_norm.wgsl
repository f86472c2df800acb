// fold_batch_norm: the kernel and bias of a convolution that does what it and the batch normalization behind it do with
// their moving averages: with slope = gamma / sqrt(variance + epsilon), folded_kernel = kernel slope of the output
// channel, and folded_bias = (bias - mean) slope + beta; gamma is 1 without params.scale, beta 0 without params.center,
// bias 0 without params.biased.
//
// kernel, folded_kernel (words), whose last axis is the c output channels; all else (c). An invocation owns one word of
// the kernel, or one channel.

struct Params {
    words: u32,
    c: u32,
    scale: u32,
    center: u32,
    biased: u32,
    epsilon: f32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> variance: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;

@group(0) @binding(3) var<storage, read> kernel: array<f32>;
@group(0) @binding(4) var<storage, read_write> folded_kernel: array<f32>;

@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> beta: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> folded_bias: array<f32>;

fn slope_of(c: u32) -> f32 {
    var slope = inverseSqrt(variance[c] + params.epsilon);
    if params.scale != 0u {
        slope *= gamma[c];
    }
    return slope;
}

@compute @workgroup_size(WORKGROUP)
fn fold_batch_norm_kernel(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.words {
        folded_kernel[i] = kernel[i] * slope_of(i % params.c);
    }
}

@compute @workgroup_size(WORKGROUP)
fn fold_batch_norm_bias(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = workgroup_index(group, groups) * WORKGROUP + local;
    if c < params.c {
        var value = -mean[c];
        if params.biased != 0u {
            value += bias[c];
        }
        value *= slope_of(c);
        if params.center != 0u {
            value += beta[c];
        }
        folded_bias[c] = value;
    }
}
