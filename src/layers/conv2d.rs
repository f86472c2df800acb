//! Conv2D: `filters` kernels over windows of an image, and a bias (Keras `Conv2D`).
//!
//! Its activation is a layer of its own behind it, which the plan applies in the same kernel.

use super::{Arguments, Unreadable};
use crate::graph::{
    Caps, Declared, Emit, Gradient, Layer, Layout, Mask, Node, Outline, Pass, Place, Refusal, Slot,
    TensorId, Window,
};
use crate::ops::conv2d::{self, Conv2d};
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c) to (n, h', w', filters).
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2D {
    pub filters: u32,
    pub window: Window,
}

impl Conv2D {
    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        let filters = arguments.count("filters")?;
        let size = arguments.pair("kernel_size", None)?;
        let stride = arguments.pair("strides", Some([1, 1]))?;
        let padding = arguments.padding()?;
        let window = Window {
            size,
            stride,
            padding,
        };
        Ok(Arc::new(Conv2D { filters, window }))
    }

    /// The parameter block between `x` and `y` (or their gradients), and where both lie.
    fn params(&self, emit: &mut dyn Emit, x: TensorId, y: TensorId) -> (Conv2d, Place, Place) {
        let (from, to) = (emit.view(x), emit.view(y));
        let Window {
            size,
            stride,
            padding,
        } = self.window;
        let whole = Conv2d::new(emit.nhwc(x), self.filters, size, stride, padding);
        let params = Conv2d {
            x_channels: from.channels,
            x_first: from.first,
            y_channels: to.channels,
            y_first: to.first,
            ..whole
        };
        (params, from.place, to.place)
    }

    fn forward(&self, node: &Node, emit: &mut dyn Emit) {
        let (params, x, y) = self.params(emit, node.inputs[0], node.outputs[0]);
        let relu = emit.relu().into();
        let (kernel, bias) = (emit.held(node.own[0]), emit.held(node.own[1]));
        let params = Conv2d { relu, ..params };
        emit.dispatch(&conv2d::Forward, &params, &[x, kernel, bias, y]);
    }

    /// x, dy -> dkernel, dbias: in shares of the batch, then their sum.
    fn backward_weight(&self, node: &Node, emit: &mut dyn Emit) {
        let (params, x, dy) = self.params(emit, node.inputs[0], node.inputs[1]);
        let splits = params.n.div_ceil(emit.schedule().images_per_split);
        let params = Conv2d { splits, ..params };
        let partial = emit.scratch(format!("{} partial", node.name), params.partial_len());
        emit.dispatch(&conv2d::BackwardWeight, &params, &[x, dy, partial]);
        let places = [node.outputs[0], node.outputs[1]].map(|gradient| {
            let (place, _) = emit.gradient(gradient).expect("kernel and bias lie flat");
            place
        });
        emit.dispatch(
            &conv2d::ReduceWeight,
            &params,
            &[partial, places[0], places[1]],
        );
    }

    /// dy, kernel -> dx
    fn backward_input(&self, node: &Node, emit: &mut dyn Emit) {
        let (mut params, dx, dy) = self.params(emit, node.outputs[0], node.inputs[0]);
        let mut mask = dy;
        if let Some(view) = emit.mask() {
            mask = view.place;
            params.relu = 1;
            params.mask_channels = view.channels;
            params.mask_first = view.first;
        }
        let kernel = emit.held(node.own[0]);
        emit.dispatch(&conv2d::BackwardInput, &params, &[dy, kernel, mask, dx]);
    }
}

impl Layer for Conv2D {
    fn kind(&self) -> &'static str {
        "Conv2D"
    }

    fn config(&self) -> Value {
        json!({
            "filters": self.filters,
            "kernel_size": self.window.size,
            "strides": self.window.stride,
            "padding": self.window.padding.to_string(),
        })
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        let [Shape(x)] = inputs else {
            return Err(Refusal::new("one image", inputs));
        };
        let &[n, h, w, c] = &x[..] else {
            return Err(Refusal::new("an image (n, h, w, c)", inputs));
        };
        let [kh, kw] = self.window.size;
        let output = Window::output([h, w], &self.window);
        if output.contains(&0) {
            let expected = format!("an image of at least {kh} x {kw} pixels");
            return Err(Refusal::new(expected, inputs));
        }
        let kernel = Shape::new([kh, kw, c, self.filters]);
        let own = vec![
            Declared::kernel(kernel, Layout::Flat),
            Declared::bias(self.filters),
        ];
        let outputs = vec![Shape::new([n, output[0], output[1], self.filters])];
        Ok(Outline { outputs, own })
    }

    fn multiply_adds(&self, inputs: &[&Shape]) -> u64 {
        let [_, h, w, c] = inputs[0].nhwc();
        let output = Window::output([h, w], &self.window);
        let extents = [self.window.size, output, [c, self.filters]];
        extents.as_flattened().iter().map(|&n| n as u64).product()
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        use Slot::{GradIn, GradOut, GradOwn, In, Own};
        vec![
            Gradient::new(&[In(0), GradOut(0)], &[GradOwn(0), GradOwn(1)]),
            Gradient::new(&[GradOut(0), Own(0)], &[GradIn(0)]),
        ]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        match pass {
            Pass::Forward => Caps {
                ranged: true,
                relu: true,
                ..Caps::default()
            },
            Pass::Backward(1) => Caps {
                mask: Mask::Range,
                ..Caps::default()
            },
            _ => Caps::default(),
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        match node.pass {
            Pass::Forward => self.forward(node, emit),
            Pass::Backward(0) => self.backward_weight(node, emit),
            _ => self.backward_input(node, emit),
        }
    }
}
