
// The parameter block of local response normalization and its gradient:
// ops::local_response_norm::LocalResponseNorm.

struct Params {
    n: u32,
    c: u32,
    pixels: u32,
    size: u32,
    x_channels: u32,
    x_first: u32,
    y_channels: u32,
    y_first: u32,
    rate: f32,
    beta: f32,
    k: f32,
}
