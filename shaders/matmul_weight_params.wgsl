
// The parameter block of the weight gradients of a dense layer: ops::matmul::MatmulWeight.

struct Params {
    m: u32,
    k: u32,
    n: u32,
    first_panel: u32,
    panels: u32,
}
