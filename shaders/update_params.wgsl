
// The parameter block of an optimiser's update of a flat block of weights: ops::update::Update.

struct Params {
    count: u32,
}
