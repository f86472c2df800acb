
// The parameter block of the products of a dense layer: ops::matmul::Matmul.

struct Params {
    m: u32,
    k: u32,
    n: u32,
    first_panel: u32,
    panels: u32,
    splits: u32,
    k_chunk: u32,
    relu: u32,
    accumulate: u32,
}
