//! DepthwiseConv2D: kernels of its own over windows of each channel, and a bias (Keras `DepthwiseConv2D`).

use super::convolution::{
    self, Convolution, Reads, multiplied, multiply_adds, parse_window, slide, window_config,
};
use super::{Arguments, Kernel, Unreadable};
use crate::graph::{
    Caps, Declared, Emit, Gradient, Layer, Layout, Node, Outline, Pass, Refusal, Window,
};
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c) to (n, h', w', c * multiplier): the outputs of a channel lie side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthwiseConv2D {
    pub window: Window,
    pub depth_multiplier: u32,
    pub use_bias: bool,
    pub kernel: Kernel,
}

impl DepthwiseConv2D {
    /// One kernel a channel, with a bias.
    pub fn new(window: Window) -> DepthwiseConv2D {
        DepthwiseConv2D {
            window,
            depth_multiplier: 1,
            use_bias: true,
            kernel: Kernel::default(),
        }
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        Ok(Arc::new(DepthwiseConv2D {
            window: parse_window(arguments)?,
            depth_multiplier: arguments.count_or("depth_multiplier", 1)?,
            use_bias: arguments.flag("use_bias", true)?,
            kernel: Kernel::parse(arguments, "depthwise")?,
        }))
    }

    fn convolution(&self, node: &Node, emit: &dyn Emit) -> Convolution {
        let [_, _, _, c] = emit.nhwc(node.layer_inputs[0]);
        Convolution {
            reads: Reads::One,
            window: self.window,
            filters: c * self.depth_multiplier,
        }
    }
}

impl Layer for DepthwiseConv2D {
    fn kind(&self) -> &'static str {
        "DepthwiseConv2D"
    }

    fn config(&self) -> Value {
        let mut config = window_config(&self.window);
        config["depth_multiplier"] = json!(self.depth_multiplier);
        if !self.use_bias {
            config["use_bias"] = json!(false);
        }
        self.kernel.write(&mut config, "depthwise");
        config
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        let ([n, _, _, c], [h, w]) = slide(&self.window, inputs)?;
        let [kh, kw] = self.window.size;
        let shape = Shape::new([kh, kw, c, self.depth_multiplier]);
        let kernel = self.kernel.declare("depthwise_kernel", shape, Layout::Flat);
        let filters = multiplied(c, self.depth_multiplier, inputs)?;
        let bias = self.use_bias.then(|| Declared::bias(filters));
        Ok(Outline {
            outputs: vec![Shape::new([n, h, w, filters])],
            own: [kernel].into_iter().chain(bias).collect(),
        })
    }

    fn multiply_adds(&self, inputs: &[&Shape]) -> u64 {
        let [_, _, _, c] = inputs[0].nhwc();
        multiply_adds(&self.window, inputs[0], c, self.depth_multiplier)
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        convolution::gradients(self.use_bias)
    }

    fn caps(&self, pass: Pass, _: &[&Shape]) -> Caps {
        convolution::caps(pass)
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        self.convolution(node, emit).lower(node, emit);
    }
}
