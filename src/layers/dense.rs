//! Dense: every output of every input, and a bias (Keras `Dense`).
//!
//! Large kernels lie in windows of panels, each of which fits a binding; their gradient is never stored
//! whole but spent window by window, inside its own kernel where the optimiser's rule has one.

use super::{Arguments, Kernel, Unreadable};
use crate::graph::{
    Caps, Declared, Emit, Gradient, Kind, Layer, Layout, Mask, Node, Outline, PanelRange, Pass,
    Place, Refusal, Shares, Slot,
};
use crate::ops::matmul::{self, Matmul, MatmulBackward, MatmulWeight, PANEL};
use crate::tensor::Shape;
use serde_json::{Value, json};
use std::sync::Arc;

/// The gradient of a large kernel is computed at most this many bytes at a time, so that it
/// stays in the cache until the optimiser reads it.
const GRADIENT_WINDOW: u64 = 48 << 20;

/// (n, features) to (n, units).
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    pub units: u32,
    pub use_bias: bool,
    pub kernel: Kernel,
}

impl Dense {
    /// With a bias, and otherwise as Keras has it where nothing is said.
    pub fn new(units: u32) -> Dense {
        Dense {
            units,
            use_bias: true,
            kernel: Kernel::default(),
        }
    }

    pub(super) fn parse(arguments: &mut Arguments) -> Result<Arc<dyn Layer>, Unreadable> {
        Ok(Arc::new(Dense {
            units: arguments.count("units")?,
            use_bias: arguments.flag("use_bias", true)?,
            kernel: Kernel::parse(arguments, "kernel")?,
        }))
    }

    /// Do its gradients together take no longer than a dispatch costs?
    fn is_small(&self, input: &Shape) -> bool {
        let &[rows, features] = &input.0[..] else {
            return false;
        };
        Matmul::new(rows, features, self.units).is_small()
    }

    /// (m, k, n) of the product.
    fn params(&self, node: &Node, emit: &dyn Emit) -> Matmul {
        let rows = emit.nhwc(node.layer_inputs[0])[0];
        let kernel = &emit.graph().shape(node.own[0]).0;
        Matmul::new(rows, kernel[0], kernel[1])
    }

    fn forward(&self, node: &Node, emit: &mut dyn Emit) {
        let whole = Matmul {
            relu: emit.relu().into(),
            ..self.params(node, emit)
        };
        let schedule = emit.schedule();
        let params = match schedule.whole_dense && whole.is_small() {
            true => whole,
            false => whole.shares_for(schedule.split_k, schedule.workgroups),
        };
        let x = emit.whole(node.inputs[0]);
        let bias = match node.own.get(1) {
            Some(&bias) => emit.held(bias),
            None => emit.zeros(whole.n as usize),
        };
        let y = emit.view(node.outputs[0]).place;
        let words = (params.splits * params.m * params.n) as usize;
        let sums = match params.splits {
            1 => y,
            _ => emit.scratch(format!("{} partial", node.name), words),
        };
        for window in emit.panels(node.own[0]) {
            let params = within(&params, &window);
            emit.dispatch(&matmul::Forward, &params, &[x, window.place, bias, sums]);
        }
        if params.splits > 1 {
            emit.dispatch(&matmul::ReduceForward, &params, &[sums, bias, y]);
        }
    }

    /// dy, kernel -> dx: window by window, each adding to what is there.
    fn backward_input(&self, node: &Node, emit: &mut dyn Emit) {
        let mut params = self.params(node, emit);
        let dy = emit.whole(node.inputs[0]);
        let dx = emit.view(node.outputs[0]).place;
        let mut mask = dy;
        if let Some(view) = emit.mask() {
            mask = view.place;
            params.relu = 1;
        }
        for (i, window) in emit.panels(node.own[0]).iter().enumerate() {
            let params = Matmul {
                accumulate: u32::from(i > 0),
                ..within(&params, window)
            };
            emit.dispatch(
                &matmul::BackwardInput,
                &params,
                &[dy, window.place, mask, dx],
            );
        }
    }

    /// All gradients in one dispatch, of a layer whose kernel and its gradient lie in one piece each.
    fn backward(&self, of_input: &Node, of_own: &Node, emit: &mut dyn Emit) {
        let Matmul { m, k, n, .. } = self.params(of_input, emit);
        let (x, dy) = (emit.whole(of_own.inputs[0]), emit.whole(of_own.inputs[1]));
        let kernel = emit.held(of_own.own[0]);
        let dx = emit.view(of_input.outputs[0]).place;
        let mask = emit.mask().map(|view| view.place);
        let (grad_kernel, _) = emit.gradient(of_own.outputs[0]).expect("it is stored");
        let grad_bias = match of_own.outputs.get(1) {
            Some(&bias) => emit.gradient_or_scratch(bias),
            None => emit.scratch(format!("{} no bias", of_own.name), n as usize),
        };
        let relu = mask.is_some().into();
        emit.dispatch(
            &matmul::Backward,
            &MatmulBackward { m, k, n, relu },
            &[
                dy,
                kernel,
                x,
                mask.unwrap_or(dy),
                dx,
                grad_kernel,
                grad_bias,
            ],
        );
    }

    /// x, dy -> dkernel, dbias (where there is one)
    fn backward_weight(&self, node: &Node, emit: &mut dyn Emit) {
        let params = self.params(node, emit);
        let (x, dy) = (emit.whole(node.inputs[0]), emit.whole(node.inputs[1]));
        if let Some(&bias) = node.outputs.get(1) {
            let shares = Shares {
                place: dy,
                shares: params.m,
                words: params.n,
            };
            if !emit.sum_later(shares, &[bias])
                && let Some((bias, _)) = emit.gradient(bias)
            {
                emit.dispatch(&matmul::BackwardBias, &params, &[dy, bias]);
            }
        }
        if let Some((kernel, _)) = emit.gradient(node.outputs[0]) {
            let params = MatmulWeight::new(&params);
            emit.dispatch(&matmul::BackwardWeight, &params, &[x, dy, kernel]);
            return;
        }
        let kernel = node.own[0];
        if emit.graph().tensors[kernel].kind == Kind::Frozen {
            return;
        }
        for window in emit.panels(kernel) {
            let inside = within(&params, &window);
            if let Some(gradient) = emit.window_gradient(&window) {
                let params = MatmulWeight::new(&inside);
                emit.dispatch(&matmul::BackwardWeight, &params, &[x, dy, gradient]);
                continue;
            }
            match emit.update_in_gradient(&window) {
                Some((op, behind)) => {
                    let places = [&[x, dy], &behind[..]].concat();
                    emit.dispatch(op, &MatmulWeight::new(&inside), &places);
                }
                None => gradient_then_update(node, &inside, [x, dy], window.place, emit),
            }
        }
    }
}

/// The parameters of one window.
fn within(params: &Matmul, window: &PanelRange) -> Matmul {
    Matmul {
        first_panel: window.first_panel,
        panels: window.panels,
        ..*params
    }
}

/// The gradient of a few panels, then their update, and so on through the window at `place`.
fn gradient_then_update(
    node: &Node,
    window: &Matmul,
    [x, dy]: [Place; 2],
    place: Place,
    emit: &mut dyn Emit,
) {
    let panel_bytes = 4 * window.k as u64 * PANEL as u64;
    // An odd k makes panels of half an alignment unit: they are taken in pairs.
    let step = (GRADIENT_WINDOW / panel_bytes)
        .max(1)
        .next_multiple_of(1 + u64::from(window.k % 2));
    for start in (0..window.panels).step_by(step as usize) {
        let part = Matmul {
            first_panel: window.first_panel + start,
            panels: (step as u32).min(window.panels - start),
            ..*window
        };
        let words = part.window_len();
        let gradient = emit.scratch(format!("d {}/kernel", node.name), words);
        let params = MatmulWeight::new(&part);
        emit.dispatch(&matmul::BackwardWeight, &params, &[x, dy, gradient]);
        let at = Place {
            offset: place.offset + start as u64 * panel_bytes,
            ..place
        };
        emit.update(at, words as u32, gradient);
    }
}

impl Layer for Dense {
    fn kind(&self) -> &'static str {
        "Dense"
    }

    fn config(&self) -> Value {
        let mut config = json!({ "units": self.units });
        if !self.use_bias {
            config["use_bias"] = json!(false);
        }
        self.kernel.write(&mut config, "kernel");
        config
    }

    fn outline(&self, inputs: &[&Shape]) -> Result<Outline, Refusal> {
        let [Shape(x)] = inputs else {
            return Err(Refusal::new("one tensor", inputs));
        };
        let &[n, features] = &x[..] else {
            return Err(Refusal::new(
                "a tensor (n, features); Flatten makes one",
                inputs,
            ));
        };
        let shape = Shape::new([features, self.units]);
        let kernel = self.kernel.declare("kernel", shape, Layout::Panels);
        let bias = self.use_bias.then(|| Declared::bias(self.units));
        Ok(Outline {
            outputs: vec![Shape::new([n, self.units])],
            own: [kernel].into_iter().chain(bias).collect(),
        })
    }

    fn multiply_adds(&self, inputs: &[&Shape]) -> u64 {
        inputs[0].len() as u64 * self.units as u64
    }

    /// The input's first: a rule that runs inside the weight gradient changes the weights that it reads.
    fn gradients(&self, _: usize) -> Vec<Gradient> {
        use Slot::{GradIn, GradOut, GradOwn, In, Own};
        let own = [GradOwn(0), GradOwn(1)];
        let own = &own[..1 + usize::from(self.use_bias)];
        vec![
            Gradient::new(&[GradOut(0), Own(0)], &[GradIn(0)]),
            Gradient::new(&[In(0), GradOut(0)], own),
        ]
    }

    fn caps(&self, pass: Pass, inputs: &[&Shape]) -> Caps {
        match pass {
            Pass::Forward => Caps {
                relu: true,
                ..Caps::default()
            },
            Pass::Backward(0) => Caps {
                mask: Mask::Whole,
                joins_next: self.is_small(inputs[0]),
                ..Caps::default()
            },
            _ => Caps::default(),
        }
    }

    fn lower_both(&self, node: &Node, next: &Node, emit: &mut dyn Emit) {
        self.backward(node, next, emit);
    }

    fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        match node.pass {
            Pass::Forward => self.forward(node, emit),
            Pass::Backward(0) => self.backward_input(node, emit),
            _ => self.backward_weight(node, emit),
        }
    }
}
