
// The parameter block of batch normalization and its gradient: ops::batch_norm::BatchNorm.

struct Params {
    n: u32,
    c: u32,
    pixels: u32,
    flattened: u32,
    share: u32,
    shares: u32,
    scale: u32,
    center: u32,
    relu: u32,
    constant: u32,
    masked: u32,
    x_channels: u32,
    x_first: u32,
    y_channels: u32,
    y_first: u32,
    mask_channels: u32,
    mask_first: u32,
    grad_channels: u32,
    grad_first: u32,
    epsilon: f32,
}
