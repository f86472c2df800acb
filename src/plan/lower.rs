//! Turns the nodes of a graph into dispatches: chooses variants, fills parameter blocks and
//! names the range of every binding. A node becomes one dispatch, or several where a sum is
//! split or a kernel cut into windows. This file holds the ground floor; `images` and `dense`
//! hold the layers.

mod dense;
mod images;

use super::fusion::{Fusion, Place};
use super::memory::{self, TRANSIENT};
use super::placement::{self, PanelWindow, Placement, Storage};
use super::{
    BufferId, BufferSpec, DataSource, Dispatch, Error, Options, Plan, Ports, Range, variants,
};
use crate::graph::{Node, Op, TensorId};
use crate::network::Model;
use crate::ops::gather::GatherParams;
use crate::ops::relu::{self, Planes};
use crate::ops::softmax::Softmax;
use crate::ops::softmax_cross_entropy::{METRICS, SoftmaxCrossEntropy};
use crate::ops::{self, AnyOp, Params};
use std::collections::HashMap;

/// Compiles an expanded graph.
pub fn compile(model: &Model, options: &Options) -> Result<Plan, Error> {
    let graph = &model.graph;
    let [batch, h, w, c] = graph.shape(model.image).nhwc();
    let mut buffers = Vec::new();
    let mut buffer = |name: &str, words: u64| {
        buffers.push(BufferSpec {
            name: name.into(),
            bytes: 4 * words,
        });
        buffers.len() - 1
    };
    let pixels = (h * w * c) as u64;
    let row_words = pixels.div_ceil(4);
    let ports = Ports {
        rows: buffer("rows", batch as u64),
        labels: buffer("labels", batch as u64),
        images: buffer("images", batch as u64 * pixels),
        metrics: buffer("metrics", METRICS as u64),
        logits: buffer("logits", (batch * model.classes) as u64),
        data: match options.data {
            DataSource::Host => None,
            DataSource::Device {
                train_rows,
                test_rows,
                ..
            } => Some([
                buffer("training images", train_rows as u64 * row_words),
                buffer("validation images", test_rows as u64 * row_words),
            ]),
        },
    };
    let placement = placement::place(graph, options, &mut buffers)?;
    let gradients = buffers.len();
    buffers.push(BufferSpec {
        name: "parameters gradient".into(),
        bytes: placement.arena_bytes,
    });
    let fusion = Fusion::new(graph, options.concat_in_place);
    let loss = graph
        .nodes
        .iter()
        .position(|node| node.op == Op::SoftmaxCrossEntropy);
    let forward = loss.map_or(graph.nodes.len(), |at| at + 1);
    let mut pool = Vec::new();
    let mut program = |nodes: std::ops::Range<usize>, data: usize| {
        let mut lowering = Lowering {
            model,
            options,
            placement: &placement,
            fusion: &fusion,
            ports,
            gradients,
            transients: Vec::new(),
            of: HashMap::from([(model.image, ports.images), (model.logits, ports.logits)]),
            dispatches: Vec::new(),
        };
        lowering.gather([batch, h, w, c], data)?;
        let mut to_loss = 0;
        for index in nodes {
            if !fusion.skipped.contains(&index) {
                lowering.node(index, &graph.nodes[index])?;
            }
            if index < forward {
                to_loss = lowering.dispatches.len();
            }
        }
        let Lowering {
            mut dispatches,
            transients,
            ..
        } = lowering;
        memory::assign(&mut dispatches, &transients, &mut buffers, &mut pool);
        Ok((dispatches, to_loss))
    };
    let (train, to_loss) = program(0..graph.nodes.len(), 0)?;
    let (evaluate, _) = program(0..forward, 1)?;
    let plan = Plan {
        model: model.name,
        batch,
        classes: model.classes,
        target: options.profile.name.clone(),
        schedule: options.schedule,
        arena: placement.arena,
        parameters: placement.parameters,
        buffers,
        train,
        loss: to_loss,
        evaluate,
        ports,
    };
    check_limits(&plan, options)?;
    Ok(plan)
}

/// Refuses what no window could make fit.
fn check_limits(plan: &Plan, options: &Options) -> Result<(), Error> {
    let limits = &options.profile.limits;
    let refuse = |name: &str, what, needed, allowed| Error::TooLarge {
        tensor: name.into(),
        what,
        needed,
        allowed,
        target: options.profile.name.clone(),
        remedy: "a smaller --batch would fit",
    };
    for buffer in &plan.buffers {
        if buffer.bytes > limits.max_buffer_size {
            return Err(refuse(
                &buffer.name,
                "the buffer",
                buffer.bytes,
                limits.max_buffer_size,
            ));
        }
    }
    for dispatch in plan.train.iter().chain(&plan.evaluate) {
        for range in &dispatch.bindings {
            if range.bytes > limits.max_storage_binding {
                return Err(refuse(
                    &dispatch.label,
                    "a binding",
                    range.bytes,
                    limits.max_storage_binding,
                ));
            }
        }
    }
    Ok(())
}

/// One program under construction.
struct Lowering<'a> {
    model: &'a Model,
    options: &'a Options,
    placement: &'a Placement,
    fusion: &'a Fusion,
    ports: Ports,
    /// The gradients of the arena's parameters, at the same offsets.
    gradients: BufferId,
    transients: Vec<BufferSpec>,
    /// The buffer of each root tensor.
    of: HashMap<TensorId, BufferId>,
    dispatches: Vec<Dispatch>,
}

/// A buffer and where in it a binding begins.
type Start = (BufferId, u64);

impl Lowering<'_> {
    /// Adds a dispatch; the length of each binding is the op's own word.
    fn dispatch<P: Params>(
        &mut self,
        op: &'static dyn AnyOp,
        label: &str,
        params: &P,
        starts: &[Start],
    ) -> Result<(), Error> {
        let params = bytemuck::bytes_of(params).to_vec();
        let variant = variants::choose(op, &params, self.options)?;
        let lengths = op.lengths(&params);
        assert_eq!(lengths.len(), starts.len(), "{}: bindings", op.name());
        let bindings = starts
            .iter()
            .zip(lengths)
            .map(|(&(buffer, offset), words)| Range {
                buffer,
                offset,
                bytes: 4 * words as u64,
            })
            .collect();
        self.dispatches.push(Dispatch {
            op,
            variant,
            label: label.into(),
            params,
            bindings,
        });
        Ok(())
    }

    fn transient(&mut self, name: String, words: usize) -> BufferId {
        self.transients.push(BufferSpec {
            name,
            bytes: 4 * words as u64,
        });
        TRANSIENT + self.transients.len() - 1
    }

    fn nhwc(&self, tensor: TensorId) -> [u32; 4] {
        self.model.graph.shape(tensor).nhwc()
    }

    /// The buffer of a root tensor, made on first use.
    fn root(&mut self, root: TensorId) -> BufferId {
        if let Some(&buffer) = self.of.get(&root) {
            return buffer;
        }
        let tensor = &self.model.graph.tensors[root];
        let buffer = self.transient(tensor.name.clone(), tensor.shape.len());
        self.of.insert(root, buffer);
        buffer
    }

    /// (buffer, its channels, first channel) of an activation or gradient.
    fn view(&mut self, tensor: TensorId) -> (BufferId, u32, u32) {
        let Place { root, first } = self.fusion.place(tensor);
        (self.root(root), self.channels(root, tensor), first)
    }

    /// Channels of a root, seen with the pixels of `tensor`: a flattened tensor and the image it
    /// was share a buffer.
    fn channels(&self, root: TensorId, tensor: TensorId) -> u32 {
        let [n, h, w, _] = self.nhwc(tensor);
        (self.model.graph.shape(root).len() / (n * h * w) as usize) as u32
    }

    /// A buffer that holds just this tensor: its own, or a copy of its range of channels.
    fn whole(&mut self, tensor: TensorId) -> Result<BufferId, Error> {
        if self.fusion.is_whole(&self.model.graph, tensor) {
            return Ok(self.view(tensor).0);
        }
        let [n, h, w, c] = self.nhwc(tensor);
        let name = self.model.graph.tensors[tensor].name.clone();
        let copy = self.transient(
            format!("{name} (copy)"),
            self.model.graph.shape(tensor).len(),
        );
        let (buffer, channels, first) = self.view(tensor);
        let params = Planes {
            a_channels: channels,
            a_first: first,
            ..Planes::whole(n, c, h * w)
        };
        self.dispatch(
            &ops::concat::Backward,
            &name,
            &params,
            &[(buffer, 0), (copy, 0)],
        )?;
        Ok(copy)
    }

    /// Where a parameter's weights or gradient begin, for one that lies in the arena.
    fn flat(&self, parameter: TensorId, gradient: bool) -> Start {
        let index = self.placement.of[&parameter];
        let (buffer, offset) = match &self.placement.parameters[index].storage {
            Storage::Flat { buffers, offset } => (buffers[0], *offset),
            Storage::Panels { windows, .. } => (windows[0].buffers[0], windows[0].offset),
        };
        (if gradient { self.gradients } else { buffer }, offset)
    }

    fn windows(&self, kernel: TensorId) -> Vec<PanelWindow> {
        match &self.placement.parameters[self.placement.of[&kernel]].storage {
            Storage::Panels { windows, .. } => windows.clone(),
            Storage::Flat { .. } => unreachable!("dense kernels lie in panels"),
        }
    }

    fn gather(&mut self, [rows, h, w, channels]: [u32; 4], split: usize) -> Result<(), Error> {
        let DataSource::Device {
            train_rows,
            test_rows,
            scale,
        } = self.options.data
        else {
            return Ok(());
        };
        let pixels = h * w;
        let params = GatherParams {
            rows,
            row_words: (pixels * channels).div_ceil(4),
            pixels,
            channels,
            data_rows: [train_rows, test_rows][split],
            scale,
        };
        let data = self.ports.data.expect("device data")[split];
        let starts = [(data, 0), (self.ports.rows, 0), (self.ports.images, 0)];
        self.dispatch(&ops::gather::Gather, "image", &params, &starts)
    }

    fn node(&mut self, index: usize, node: &Node) -> Result<(), Error> {
        match node.op {
            Op::Conv2d(window) => self.conv2d(index, node, window),
            Op::Conv2dBackwardInput(window) => self.conv2d_backward_input(index, node, window),
            Op::Conv2dBackwardWeight(window) => self.conv2d_backward_weight(node, window),
            Op::MaxPool2d(window) => self.max_pool2d(node, window, false),
            Op::MaxPool2dBackward(window) => self.max_pool2d(node, window, true),
            Op::Concat => self.concat(node),
            Op::ConcatBackward { first } => self.concat_backward(node, first),
            Op::Flatten | Op::FlattenBackward => {
                let copy = self.whole(node.inputs[0])?;
                self.of.insert(node.outputs[0], copy);
                Ok(())
            }
            Op::GlobalAveragePool => self.global_average_pool(node),
            Op::GlobalAveragePoolBackward => self.global_average_pool_backward(index, node),
            Op::Dense => self.dense(index, node),
            Op::DenseBackwardInput => self.dense_backward_input(index, node),
            Op::DenseBackwardWeight => self.dense_backward_weight(node),
            Op::Relu => self.planes(&relu::Forward, node),
            Op::ReluBackward => self.planes(&relu::Backward, node),
            Op::Add => self.planes(&ops::add::Add, node),
            Op::SoftmaxCrossEntropy => self.loss(node),
            Op::Adam => self.adam(node),
        }
    }

    fn loss(&mut self, node: &Node) -> Result<(), Error> {
        let [rows, _, _, classes] = self.nhwc(node.inputs[0]);
        let logits = self.whole(node.inputs[0])?;
        let (dlogits, ..) = self.view(node.outputs[0]);
        let starts = [
            (logits, 0),
            (self.ports.labels, 0),
            (self.ports.metrics, 0),
            (dlogits, 0),
        ];
        self.dispatch(
            &SoftmaxCrossEntropy,
            &node.name,
            &Softmax { rows, classes },
            &starts,
        )
    }
}
