
// The parameter block of global average pooling and its gradient: ops::global_average_pool::GlobalAveragePool.

struct Params {
    n: u32,
    c: u32,
    pixels: u32,
    masked: u32,
}
