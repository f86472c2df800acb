// What the weight gradients whose products are written out share: the place of a sum.
//
// They need of the kernel's own text: `partial` (splits, kh * kw * c_in + 1, c_out).

/// Stores a sum of share `split`; channels behind the last have none.
fn store(split: u32, row: u32, co: u32, value: f32) {
    if co < params.c_out {
        let rows = params.kh * params.kw * params.c_in + 1u;
        partial[(split * rows + row) * params.c_out + co] = value;
    }
}
