//! MaxPooling2D: the largest element of each window, channel by channel (Keras `MaxPooling2D`).

use super::read::pool_config;
use super::{Arguments, Unreadable};
use crate::graph::{
    Caps, Emit, Gradient, Layer, Mask, Node, Outline, Pass, Place, Refusal, Slot, TensorId, Window,
};
use crate::ops::max_pool2d::{self, MaxPool2d};
use crate::tensor::Shape;
use serde_json::Value;
use std::sync::Arc;

/// (n, h, w, c) to (n, h', w', c).
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPooling2D(pub Window);

impl MaxPooling2D {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        Ok(Arc::new(MaxPooling2D(arguments.pool()?)))
    }
}

/// The block between an image x and its pooled image y, or their gradients, of any pooling over windows.
pub(super) fn pool_params(
    window: &Window,
    emit: &mut dyn Emit,
    x: TensorId,
    y: TensorId,
) -> MaxPool2d {
    let (from, to) = (emit.view(x), emit.view(y));
    let &Window {
        size,
        stride,
        padding,
    } = window;
    MaxPool2d {
        x_channels: from.channels,
        x_first: from.first,
        y_channels: to.channels,
        y_first: to.first,
        ..MaxPool2d::new(emit.nhwc(x), size, stride, padding)
    }
}

/// The block of a gradient with what is to stop it, and where the mask lies; where nothing stops it, anywhere.
pub(super) fn stopped(
    params: MaxPool2d,
    anywhere: Place,
    emit: &mut dyn Emit,
) -> (MaxPool2d, Place) {
    let Some(mask) = emit.mask() else {
        return (params, anywhere);
    };
    let params = MaxPool2d {
        masked: 1,
        mask_channels: mask.channels,
        mask_first: mask.first,
        ..params
    };
    (params, mask.place)
}

/// What the passes of any pooling over windows allow.
pub(super) fn pool_caps(pass: Pass) -> Caps {
    let forward = pass == Pass::Forward;
    Caps {
        ranged: forward,
        mask: if forward { Mask::No } else { Mask::Range },
        ..Caps::default()
    }
}

/// The outline of any pooling over windows.
pub(super) fn pooled(window: &Window, inputs: &[&Shape]) -> Result<Outline, Refusal> {
    let [Shape(x)] = inputs else {
        return Err(Refusal::new("one image", inputs));
    };
    let &[n, h, w, c] = &x[..] else {
        return Err(Refusal::new("an image (n, h, w, c)", inputs));
    };
    let output = Window::output([h, w], window);
    if output.contains(&0) {
        let [kh, kw] = window.size;
        let expected = format!("an image of at least {kh} x {kw} pixels");
        return Err(Refusal::new(expected, inputs));
    }
    Ok(Outline::of(Shape::new([n, output[0], output[1], c])))
}

impl Layer for MaxPooling2D {
    fn kind(&self) -> &'static str {
        "MaxPooling2D"
    }

    fn config(&self) -> Value {
        pool_config(&self.0)
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        pooled(&self.0, inputs)
    }

    /// Who won is found anew: x is there, and the windows are small.
    fn gradients(&self, _: usize) -> Vec<Gradient> {
        vec![Gradient::new(
            &[Slot::In(0), Slot::GradOut(0)],
            &[Slot::GradIn(0)],
        )]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        pool_caps(pass)
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        if node.pass == Pass::Forward {
            let [x, y] = [node.inputs[0], node.outputs[0]];
            let params = pool_params(&self.0, emit, x, y);
            let places = [emit.view(x).place, emit.view(y).place];
            return emit.dispatch(&max_pool2d::Forward, &params, &places);
        }
        let [x, dy] = [node.inputs[0], node.inputs[1]];
        let params = pool_params(&self.0, emit, x, dy);
        let dy = emit.view(dy).place;
        // The kernel's x and dx share one view: it pools a copy where x is a range of another tensor.
        let x = emit.whole(x);
        let dx = emit.view(node.outputs[0]).place;
        let params = MaxPool2d {
            x_channels: params.c,
            x_first: 0,
            ..params
        };
        let (mut params, mask) = stopped(params, dy, emit);
        let view = (mask, params.mask_channels, params.mask_first);
        if params.masked != 0 && view == (x, params.c, 0) {
            params = params.own_mask();
        }
        emit.dispatch(&max_pool2d::Backward, &params, &[x, dy, mask, dx]);
    }
}
