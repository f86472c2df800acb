
// The parameter block of softmax, its gradient and the loss: ops::softmax::Softmax.

struct Params {
    rows: u32,
    classes: u32,
}
