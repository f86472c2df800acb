
// The parameter block of what goes over a flat block of weights with a number: ops::update::Weighted.

struct Params {
    count: u32,
    factor: f32,
}
