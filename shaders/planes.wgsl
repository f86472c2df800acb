
// The parameter block of what maps ranges of channels element by element: ops::relu::Planes.

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
}
