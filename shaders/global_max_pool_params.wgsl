
// The parameter block of global max pooling and its gradient: ops::global_max_pool::GlobalMaxPool.

struct Params {
    n: u32,
    c: u32,
    pixels: u32,
    masked: u32,
    x_channels: u32,
    x_first: u32,
    mask_channels: u32,
    mask_first: u32,
}
