// What the sums of a channel make: the gradients of gamma and beta, and what the gradient of x is made of.
//
// With r = 1 / sqrt(variance + epsilon): grad_beta = sum(dy), grad_gamma = r sum(dy (x - mean)), and
// grad_x = slope (dy - offset - (x - mean) tilt) where slope = gamma r, offset = grad_beta / count and
// tilt = r grad_gamma / count; gamma is 1 without params.scale.
//
// It needs of the kernel's own text: mean, variance, gamma, grad_gamma, grad_beta (c).

/// Stores the gradients of gamma and beta.
fn store_gradients(c: u32, sums: vec2<f32>) {
    grad_gamma[c] = inverseSqrt(variance[c] + params.epsilon) * sums.y;
    grad_beta[c] = sums.x;
}

/// The vector (mean, slope, offset, tilt).
fn coefficients_of(c: u32, sums: vec2<f32>) -> vec4<f32> {
    let root = inverseSqrt(variance[c] + params.epsilon);
    var slope = root;
    if params.scale != 0u {
        slope *= gamma[c];
    }
    let count = f32(max(step.valid_rows * params.pixels, 1u));
    return vec4<f32>(mean[c], slope, sums.x / count, root * (root * sums.y / count));
}
