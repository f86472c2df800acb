//! SeparableConv2D: a convolution of each channel for itself, then one of 1 x 1 over all channels, and a bias
//! (Keras `SeparableConv2D`). Between the two there is neither bias nor activation.

use super::convolution::{
    Convolution, Reads, multiplied, multiply_adds, parse_window, slide, window_config,
};
use super::{Arguments, Kernel, Unreadable};
use crate::graph::{
    Caps, Declared, Emit, Gradient, Layer, Layout, Mask, Node, Outline, Pass, Refusal, Slot, Window,
};
use crate::ops::conv2d::Padding;
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c) to (n, h', w', c * multiplier), which is kept for the backward pass, to (n, h', w', filters).
#[derive(Clone, Debug, PartialEq)]
pub struct SeparableConv2D {
    pub filters: u32,
    /// Of the depthwise part.
    pub window: Window,
    pub depth_multiplier: u32,
    pub use_bias: bool,
    pub depthwise: Kernel,
    pub pointwise: Kernel,
}

impl SeparableConv2D {
    /// One kernel a channel, with a bias.
    pub fn new(filters: u32, window: Window) -> SeparableConv2D {
        SeparableConv2D {
            filters,
            window,
            depth_multiplier: 1,
            use_bias: true,
            depthwise: Kernel::default(),
            pointwise: Kernel::default(),
        }
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        Ok(Arc::new(SeparableConv2D {
            filters: arguments.count("filters")?,
            window: parse_window(arguments)?,
            depth_multiplier: arguments.count_or("depth_multiplier", 1)?,
            use_bias: arguments.flag("use_bias", true)?,
            depthwise: Kernel::parse(arguments, "depthwise")?,
            pointwise: Kernel::parse(arguments, "pointwise")?,
        }))
    }

    /// The depthwise part and the pointwise one.
    fn parts(&self, node: &Node, emit: &dyn Emit) -> [Convolution; 2] {
        let [_, _, _, c] = emit.nhwc(node.layer_inputs[0]);
        let depthwise = Convolution {
            reads: Reads::One,
            window: self.window,
            filters: c * self.depth_multiplier,
        };
        let pointwise = Convolution {
            reads: Reads::All,
            window: POINT,
            filters: self.filters,
        };
        [depthwise, pointwise]
    }
}

/// The window of the pointwise part.
const POINT: Window = Window {
    size: [1, 1],
    stride: [1, 1],
    padding: Padding::Valid,
};

impl Layer for SeparableConv2D {
    fn kind(&self) -> &'static str {
        "SeparableConv2D"
    }

    fn config(&self) -> Value {
        let mut config = window_config(&self.window);
        config["filters"] = json!(self.filters);
        config["depth_multiplier"] = json!(self.depth_multiplier);
        if !self.use_bias {
            config["use_bias"] = json!(false);
        }
        self.depthwise.write(&mut config, "depthwise");
        self.pointwise.write(&mut config, "pointwise");
        config
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        let ([n, _, _, c], [h, w]) = slide(&self.window, inputs)?;
        let [kh, kw] = self.window.size;
        let middle = multiplied(c, self.depth_multiplier, inputs)?;
        let depthwise = Shape::new([kh, kw, c, self.depth_multiplier]);
        let pointwise = Shape::new([1, 1, middle, self.filters]);
        let (depthwise, pointwise) = (
            self.depthwise
                .declare("depthwise_kernel", depthwise, Layout::Flat),
            self.pointwise
                .declare("pointwise_kernel", pointwise, Layout::Flat),
        );
        let bias = self.use_bias.then(|| Declared::bias(self.filters));
        Ok(Outline {
            outputs: [self.filters, middle]
                .map(|c| Shape::new([n, h, w, c]))
                .into(),
            own: [depthwise, pointwise].into_iter().chain(bias).collect(),
        })
    }

    fn multiply_adds(&self, inputs: &[&Shape]) -> u64 {
        let [_, h, w, c] = inputs[0].nhwc();
        let [h, w] = Window::output([h, w], &self.window);
        let middle = Shape::new([1, h, w, c * self.depth_multiplier]);
        let depthwise = multiply_adds(&self.window, inputs[0], c, self.depth_multiplier);
        depthwise + multiply_adds(&POINT, &middle, middle.0[3], self.filters)
    }

    /// What lies between the parts first: both kernels' and the input's follow from it.
    fn gradients(&self, _: usize) -> Vec<Gradient> {
        use Slot::{GradIn, GradOut, GradOwn, In, Out, Own};
        let pointwise = [GradOwn(1), GradOwn(2)];
        let pointwise = &pointwise[..1 + usize::from(self.use_bias)];
        vec![
            Gradient::new(&[GradOut(0), Own(1)], &[GradOut(1)]),
            Gradient::new(&[Out(1), GradOut(0)], pointwise),
            Gradient::new(&[In(0), GradOut(1)], &[GradOwn(0)]),
            Gradient::new(&[GradOut(1), Own(0)], &[GradIn(0)]),
        ]
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        match pass {
            Pass::Forward => Caps {
                ranged: true,
                relu: true,
                kernel: Some(1),
                ..Caps::default()
            },
            Pass::Backward(3) => Caps {
                mask: Mask::Range,
                ..Caps::default()
            },
            _ => Caps::default(),
        }
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let [depthwise, pointwise] = self.parts(node, emit);
        let [first, made] = [node.inputs[0], node.outputs[0]];
        match node.pass {
            Pass::Forward => {
                let (middle, bias) = (node.outputs[1], node.own.get(2).copied());
                let relu = emit.relu();
                depthwise.forward([first, middle], node.own[0], None, false, emit);
                pointwise.forward([middle, made], node.own[1], bias, relu, emit);
            }
            Pass::Backward(0) => {
                pointwise.backward_input([first, made], node.own[1], None, emit);
            }
            Pass::Backward(part @ (1 | 2)) => {
                let between = [first, node.inputs[1]];
                let convolution = if part == 1 { pointwise } else { depthwise };
                convolution.backward_weight(&node.name, between, &node.outputs, emit);
            }
            _ => {
                let mask = emit.mask();
                depthwise.backward_input([first, made], node.own[0], mask, emit);
            }
        }
    }
}
