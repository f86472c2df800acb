//! What layers share that map ranges of channels element by element: the parameter block from views.

use crate::graph::{Emit, Place, TensorId, View};
use crate::ops::AnyOp;
use crate::ops::relu::Planes;

/// The block of an op over `tensor`'s pixels and channels that reads `a` and writes `y`.
pub(super) fn between(emit: &dyn Emit, tensor: TensorId, a: View, y: View) -> Planes {
    let [n, h, w, c] = emit.nhwc(tensor);
    Planes {
        a_channels: a.channels,
        a_first: a.first,
        y_channels: y.channels,
        y_first: y.first,
        ..Planes::whole(n, c, h * w)
    }
}

/// y = op(a)
pub(super) fn map(op: &'static dyn AnyOp, emit: &mut dyn Emit, [a, y]: [TensorId; 2]) {
    let (from, to) = (emit.view(a), emit.view(y));
    let params = between(emit, y, from, to);
    emit.dispatch(op, &params, &[from.place, to.place]);
}

/// The block of an op that makes y of a and b, and where the three lie.
pub(super) fn both(emit: &mut dyn Emit, [a, b, y]: [TensorId; 3]) -> (Planes, [Place; 3]) {
    let (first, second, to) = (emit.view(a), emit.view(b), emit.view(y));
    let params = Planes {
        b_channels: second.channels,
        b_first: second.first,
        ..between(emit, y, first, to)
    };
    (params, [first.place, second.place, to.place])
}

/// y = op(a, b)
pub(super) fn zip(op: &'static dyn AnyOp, emit: &mut dyn Emit, tensors: [TensorId; 3]) {
    let (params, places) = both(emit, tensors);
    emit.dispatch(op, &params, &places);
}
