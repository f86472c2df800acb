//! Dense layers and the optimiser: products over windows of panels, their gradients, and
//! where Adam runs.

use super::{Lowering, Start};
use crate::graph::{Node, TensorId};
use crate::ops;
use crate::ops::matmul::{self, Matmul, MatmulWeight};
use crate::ops::update::Update;
use crate::plan::placement::PanelWindow;
use crate::plan::{BufferId, Error};

/// The gradient of a large kernel is computed at most this many bytes at a time, so that it
/// stays in the cache until the optimiser reads it.
const GRADIENT_WINDOW: u64 = 48 << 20;

impl Lowering<'_> {
    /// (m, k, n) of a dense layer from its kernel.
    pub(super) fn matmul_params(&self, kernel: TensorId, batch_of: TensorId) -> Matmul {
        let shape = &self.model.graph.shape(kernel).0;
        Matmul::new(self.nhwc(batch_of)[0], shape[0], shape[1])
    }

    pub(super) fn dense(&mut self, index: usize, node: &Node) -> Result<(), Error> {
        let [x, kernel, bias] = node.inputs[..] else {
            unreachable!("dense reads three tensors")
        };
        let relu = self.fusion.relu.contains(&index).into();
        let whole = Matmul {
            relu,
            ..self.matmul_params(kernel, x)
        };
        let params = whole.split(whole.k.div_ceil(self.options.schedule.split_k));
        let x = self.whole(x)?;
        let bias = self.flat(bias, false);
        let (y, ..) = self.view(node.outputs[0]);
        let split = params.splits > 1;
        let words = (params.splits * params.m * params.n) as usize;
        let sums = if split {
            self.transient(format!("{} partial", node.name), words)
        } else {
            y
        };
        for window in self.windows(kernel) {
            let PanelWindow {
                buffers,
                offset,
                first_panel,
                panels,
            } = window;
            let params = Matmul {
                first_panel,
                panels,
                ..params
            };
            let starts = [(x, 0), (buffers[0], offset), bias, (sums, 0)];
            self.dispatch(&matmul::Forward, &node.name, &params, &starts)?;
        }
        if split {
            self.dispatch(
                &matmul::ReduceForward,
                &node.name,
                &params,
                &[(sums, 0), bias, (y, 0)],
            )?;
        }
        Ok(())
    }

    pub(super) fn dense_backward_input(&mut self, index: usize, node: &Node) -> Result<(), Error> {
        let [dy, kernel] = node.inputs[..] else {
            unreachable!("two inputs")
        };
        let mut params = self.matmul_params(kernel, dy);
        let dy = self.whole(dy)?;
        let (dx, ..) = self.view(node.outputs[0]);
        let mut mask = dy;
        if let Some(place) = self.fusion.mask.get(&index) {
            mask = self.root(place.root);
            params.relu = 1;
        }
        for (i, window) in self.windows(kernel).into_iter().enumerate() {
            let PanelWindow {
                buffers,
                offset,
                first_panel,
                panels,
            } = window;
            let params = Matmul {
                first_panel,
                panels,
                accumulate: u32::from(i > 0),
                ..params
            };
            let starts = [(dy, 0), (buffers[0], offset), (mask, 0), (dx, 0)];
            self.dispatch(&matmul::BackwardInput, &node.name, &params, &starts)?;
        }
        Ok(())
    }

    pub(super) fn dense_backward_weight(&mut self, node: &Node) -> Result<(), Error> {
        let [x, dy] = node.inputs[..] else {
            unreachable!("two inputs")
        };
        let [kernel, bias] = self.parameters_of(node);
        let params = self.matmul_params(kernel, x);
        let (x, dy) = (self.whole(x)?, self.whole(dy)?);
        let starts = [(dy, 0), self.flat(bias, true)];
        self.dispatch(&matmul::BackwardBias, &node.name, &params, &starts)?;
        let index = self.placement.of[&kernel];
        if self.placement.parameters[index]
            .storage
            .in_arena(self.placement.arena)
        {
            let weight = MatmulWeight::new(&params);
            let starts = [(x, 0), (dy, 0), self.flat(kernel, true)];
            return self.dispatch(&matmul::BackwardWeight, &node.name, &weight, &starts);
        }
        for window in self.windows(kernel) {
            if self.options.schedule.fuse_adam {
                self.weight_adam(node, &params, [x, dy], window)?;
            } else {
                self.weight_then_adam(node, &params, [x, dy], window)?;
            }
        }
        Ok(())
    }

    /// The optimiser inside the weight gradient: no gradient is stored.
    pub(super) fn weight_adam(
        &mut self,
        node: &Node,
        params: &Matmul,
        [x, dy]: [BufferId; 2],
        window: PanelWindow,
    ) -> Result<(), Error> {
        let PanelWindow {
            buffers: [w, m, v],
            offset,
            first_panel,
            panels,
        } = window;
        let params = MatmulWeight::new(&Matmul {
            first_panel,
            panels,
            ..*params
        });
        let starts = [
            (x, 0),
            (dy, 0),
            (self.ports.metrics, 0),
            (w, offset),
            (m, offset),
            (v, offset),
        ];
        self.dispatch(&matmul::BackwardWeightAdam, &node.name, &params, &starts)
    }

    /// The gradient of a few panels, then their update, and so on through the window.
    pub(super) fn weight_then_adam(
        &mut self,
        node: &Node,
        params: &Matmul,
        [x, dy]: [BufferId; 2],
        window: PanelWindow,
    ) -> Result<(), Error> {
        let panel_bytes = 4 * params.k as u64 * matmul::PANEL as u64;
        let step = (GRADIENT_WINDOW / panel_bytes)
            .max(1)
            .next_multiple_of(1 + u64::from(params.k % 2));
        for start in (0..window.panels).step_by(step as usize) {
            let panels = (step as u32).min(window.panels - start);
            let part = Matmul {
                first_panel: window.first_panel + start,
                panels,
                ..*params
            };
            let weight = MatmulWeight::new(&part);
            let gradient = self.transient(format!("d {}/kernel", node.name), part.window_len());
            self.dispatch(
                &matmul::BackwardWeight,
                &node.name,
                &weight,
                &[(x, 0), (dy, 0), (gradient, 0)],
            )?;
            let offset = window.offset + start as u64 * panel_bytes;
            self.adam_block(
                &node.name,
                part.window_len() as u32,
                (gradient, 0),
                window.buffers,
                offset,
            )?;
        }
        Ok(())
    }

    pub(super) fn adam_block(
        &mut self,
        label: &str,
        count: u32,
        gradient: Start,
        [w, m, v]: [BufferId; 3],
        offset: u64,
    ) -> Result<(), Error> {
        let starts = [
            gradient,
            (self.ports.metrics, 0),
            (w, offset),
            (m, offset),
            (v, offset),
        ];
        self.dispatch(&ops::adam::Adam, label, &Update { count }, &starts)
    }

    /// One dispatch updates the whole arena, at the last of its parameters; the large kernels
    /// were updated where their gradient was made.
    pub(super) fn adam(&mut self, node: &Node) -> Result<(), Error> {
        let last = self.model.graph.nodes.last().expect("this node");
        if node.inputs != last.inputs {
            return Ok(());
        }
        let words = (self.placement.arena_bytes / 4) as u32;
        self.adam_block(
            "parameters",
            words,
            (self.gradients, 0),
            self.placement.arena,
            0,
        )
    }
}
