//! Conv2D: `filters` kernels over windows of an image, and a bias (Keras `Conv2D`).
//!
//! Its activation is a layer of its own behind it, which the plan applies in the same kernel.

use super::convolution::{
    self, Convolution, Reads, multiply_adds, parse_window, slide, window_config,
};
use super::{Arguments, Kernel, Unreadable};
use crate::graph::{
    Caps, Declared, Emit, Gradient, Layer, Layout, Node, Outline, Pass, Refusal, TensorId, Window,
};
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// (n, h, w, c) to (n, h', w', filters).
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2D {
    pub filters: u32,
    pub window: Window,
    pub use_bias: bool,
    pub kernel: Kernel,
}

impl Conv2D {
    /// With a bias, and otherwise as Keras has it where nothing is said.
    pub fn new(filters: u32, window: Window) -> Conv2D {
        Conv2D {
            filters,
            window,
            use_bias: true,
            kernel: Kernel::default(),
        }
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        Ok(Arc::new(Conv2D {
            filters: arguments.count("filters")?,
            window: parse_window(arguments)?,
            use_bias: arguments.flag("use_bias", true)?,
            kernel: Kernel::parse(arguments, "kernel")?,
        }))
    }

    fn convolution(&self) -> Convolution {
        Convolution {
            reads: Reads::All,
            window: self.window,
            filters: self.filters,
        }
    }
}

impl Layer for Conv2D {
    fn kind(&self) -> &'static str {
        "Conv2D"
    }

    fn config(&self) -> Value {
        let mut config = window_config(&self.window);
        config["filters"] = json!(self.filters);
        if !self.use_bias {
            config["use_bias"] = json!(false);
        }
        self.kernel.write(&mut config, "kernel");
        config
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        let ([n, _, _, c], [h, w]) = slide(&self.window, inputs)?;
        let [kh, kw] = self.window.size;
        let shape = Shape::new([kh, kw, c, self.filters]);
        let kernel = self.kernel.declare("kernel", shape, Layout::Flat);
        let bias = self.use_bias.then(|| Declared::bias(self.filters));
        Ok(Outline {
            outputs: vec![Shape::new([n, h, w, self.filters])],
            own: [kernel].into_iter().chain(bias).collect(),
        })
    }

    fn multiply_adds(&self, inputs: &[&Shape]) -> u64 {
        let [_, _, _, c] = inputs[0].nhwc();
        multiply_adds(&self.window, inputs[0], c, self.filters)
    }

    fn gradients(&self, _: usize) -> Vec<Gradient> {
        convolution::gradients(self.use_bias)
    }

    fn joined(&self, channels: u32) -> Option<Arc<dyn Layer>> {
        Some(Arc::new(Conv2D {
            filters: channels,
            ..self.clone()
        }))
    }

    fn caps(&self, pass: Pass, inputs: &[&Shape]) -> Caps {
        Caps {
            product: pass == Pass::Backward(0) && self.convolution().is_product(inputs[0]),
            ..convolution::caps(pass)
        }
    }

    fn lower_sum(
        &self,
        sum: &Node,
        products: &[&Node],
        other: Option<TensorId>,
        emit: &mut dyn Emit,
    ) {
        convolution::backward_sum(sum, products, other, emit);
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        self.convolution().lower(node, emit);
    }
}
