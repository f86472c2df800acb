//! Turns the nodes of a graph into dispatches: chooses variants, fills parameter blocks and
//! names the range of every binding. A node becomes one dispatch, or several where a sum is
//! split or a kernel cut into windows.

use super::fusion::{Fusion, Place};
use super::memory::{self, TRANSIENT};
use super::placement::{self, PanelWindow, Placement, Storage};
use super::{
    BufferId, BufferSpec, DataSource, Dispatch, Error, Options, Plan, Ports, Range, variants,
};
use crate::graph::{Node, Op, TensorId, Window};
use crate::network::Model;
use crate::ops::adam::AdamParams;
use crate::ops::conv2d::{self, Conv2d};
use crate::ops::gather::GatherParams;
use crate::ops::global_average_pool::{self, GlobalAveragePool};
use crate::ops::matmul::{self, Matmul, MatmulWeight};
use crate::ops::max_pool2d::{self, MaxPool2d};
use crate::ops::relu::{self, Planes};
use crate::ops::softmax::Softmax;
use crate::ops::softmax_cross_entropy::{METRICS, SoftmaxCrossEntropy};
use crate::ops::{self, AnyOp, Params};
use std::collections::HashMap;

/// The gradient of a large kernel is computed at most this many bytes at a time, so that it
/// stays in the cache until the optimiser reads it.
const GRADIENT_WINDOW: u64 = 48 << 20;

/// Inputs that one share of a dense product adds up.
const SPLIT_K: u32 = 5_760;

/// Images that one share of a convolution's weight gradient adds up.
const IMAGES_PER_SPLIT: u32 = 4;

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
        for index in nodes {
            if !fusion.skipped.contains(&index) {
                lowering.node(index, &graph.nodes[index])?;
            }
        }
        let Lowering {
            mut dispatches,
            transients,
            ..
        } = lowering;
        memory::assign(&mut dispatches, &transients, &mut buffers, &mut pool);
        Ok(dispatches)
    };
    let train = program(0..graph.nodes.len(), 0)?;
    let evaluate = program(0..forward, 1)?;
    let plan = Plan {
        model: model.name,
        batch,
        classes: model.classes,
        target: options.profile.name.clone(),
        arena: placement.arena,
        parameters: placement.parameters,
        buffers,
        train,
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
        let variant = variants::choose(op, &params, &self.options.profile, &self.options.pins)?;
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
            Op::Softmax => self.softmax(node),
            Op::SoftmaxCrossEntropy => self.loss(node),
            Op::Adam => self.adam(node),
        }
    }

    /// The parameter block of the convolution that maps `x` to `y` (or back), with both views.
    fn conv_params(
        &mut self,
        x: TensorId,
        y: TensorId,
        window: Window,
    ) -> (Conv2d, BufferId, BufferId) {
        let filters = self.nhwc(y)[3];
        let (x_buffer, x_channels, x_first) = self.view(x);
        let (y_buffer, y_channels, y_first) = self.view(y);
        let whole = Conv2d::new(
            self.nhwc(x),
            filters,
            window.size,
            window.stride,
            window.padding,
        );
        (
            Conv2d {
                x_channels,
                x_first,
                y_channels,
                y_first,
                ..whole
            },
            x_buffer,
            y_buffer,
        )
    }

    fn conv2d(&mut self, index: usize, node: &Node, window: Window) -> Result<(), Error> {
        let [x, kernel, bias] = node.inputs[..] else {
            unreachable!("conv2d reads three tensors")
        };
        let (params, x, y) = self.conv_params(x, node.outputs[0], window);
        let params = Conv2d {
            relu: self.fusion.relu.contains(&index).into(),
            ..params
        };
        let starts = [
            (x, 0),
            self.flat(kernel, false),
            self.flat(bias, false),
            (y, 0),
        ];
        self.dispatch(&conv2d::Forward, &node.name, &params, &starts)
    }

    fn conv2d_backward_input(
        &mut self,
        index: usize,
        node: &Node,
        window: Window,
    ) -> Result<(), Error> {
        let [dy, kernel] = node.inputs[..] else {
            unreachable!("two inputs")
        };
        let (mut params, dx, dy) = self.conv_params(node.outputs[0], dy, window);
        let mut mask_buffer = dy;
        if let Some(&Place { root, first }) = self.fusion.mask.get(&index) {
            mask_buffer = self.root(root);
            params.relu = 1;
            params.mask_channels = self.channels(root, node.outputs[0]);
            params.mask_first = first;
        }
        let starts = [(dy, 0), self.flat(kernel, false), (mask_buffer, 0), (dx, 0)];
        self.dispatch(&conv2d::BackwardInput, &node.name, &params, &starts)
    }

    fn conv2d_backward_weight(&mut self, node: &Node, window: Window) -> Result<(), Error> {
        let [x, dy] = node.inputs[..] else {
            unreachable!("two inputs")
        };
        let (params, x, dy) = self.conv_params(x, dy, window);
        let params = Conv2d {
            splits: params.n.div_ceil(IMAGES_PER_SPLIT),
            ..params
        };
        let partial = self.transient(format!("{} partial", node.name), params.partial_len());
        self.dispatch(
            &conv2d::BackwardWeight,
            &node.name,
            &params,
            &[(x, 0), (dy, 0), (partial, 0)],
        )?;
        let [kernel, bias] = self.parameters_of(node);
        let starts = [(partial, 0), self.flat(kernel, true), self.flat(bias, true)];
        self.dispatch(&conv2d::ReduceWeight, &node.name, &params, &starts)
    }

    /// Kernel and bias whose gradients a node computes.
    fn parameters_of(&self, node: &Node) -> [TensorId; 2] {
        let graph = &self.model.graph;
        let layer = |suffix: &str| {
            let name = format!("{}/{suffix}", node.name);
            graph
                .parameters()
                .find(|&id| graph.tensors[id].name == name)
                .expect("the layer's parameter")
        };
        [layer("kernel"), layer("bias")]
    }

    fn max_pool2d(&mut self, node: &Node, window: Window, backward: bool) -> Result<(), Error> {
        let x = node.inputs[0];
        let y = if backward {
            node.inputs[1]
        } else {
            node.outputs[0]
        };
        let (x_buffer, x_channels, x_first) = self.view(x);
        let (y_buffer, y_channels, y_first) = self.view(y);
        let whole = MaxPool2d::new(self.nhwc(x), window.size, window.stride, window.padding);
        let params = MaxPool2d {
            x_channels,
            x_first,
            y_channels,
            y_first,
            ..whole
        };
        if !backward {
            return self.dispatch(
                &max_pool2d::Forward,
                &node.name,
                &params,
                &[(x_buffer, 0), (y_buffer, 0)],
            );
        }
        // The kernel's x and dx share one view: pool a copy where x is a range of another tensor.
        let x_buffer = self.whole(x)?;
        let (dx, ..) = self.view(node.outputs[0]);
        let params = MaxPool2d {
            x_channels: params.c,
            x_first: 0,
            ..params
        };
        self.dispatch(
            &max_pool2d::Backward,
            &node.name,
            &params,
            &[(x_buffer, 0), (y_buffer, 0), (dx, 0)],
        )
    }

    fn concat(&mut self, node: &Node) -> Result<(), Error> {
        let (y, y_channels, mut y_first) = self.view(node.outputs[0]);
        for &branch in &node.inputs {
            let [n, h, w, c] = self.nhwc(branch);
            let (x, a_channels, a_first) = self.view(branch);
            let params = Planes {
                a_channels,
                a_first,
                y_channels,
                y_first,
                ..Planes::whole(n, c, h * w)
            };
            self.dispatch(
                &ops::concat::Forward,
                &node.name,
                &params,
                &[(x, 0), (y, 0)],
            )?;
            y_first += c;
        }
        Ok(())
    }

    fn concat_backward(&mut self, node: &Node, first: u32) -> Result<(), Error> {
        let (dy, a_channels, a_first) = self.view(node.inputs[0]);
        let (dx, y_channels, y_first) = self.view(node.outputs[0]);
        let [n, h, w, c] = self.nhwc(node.outputs[0]);
        let params = Planes {
            a_channels,
            a_first: a_first + first,
            y_channels,
            y_first,
            ..Planes::whole(n, c, h * w)
        };
        self.dispatch(
            &ops::concat::Backward,
            &node.name,
            &params,
            &[(dy, 0), (dx, 0)],
        )
    }

    /// An op of one or two inputs, element by element.
    fn planes(&mut self, op: &'static dyn AnyOp, node: &Node) -> Result<(), Error> {
        let [n, h, w, c] = self.nhwc(node.outputs[0]);
        let (a, a_channels, a_first) = self.view(node.inputs[0]);
        let (y, y_channels, y_first) = self.view(node.outputs[0]);
        let mut params = Planes {
            a_channels,
            a_first,
            y_channels,
            y_first,
            ..Planes::whole(n, c, h * w)
        };
        let mut starts = vec![(a, 0)];
        if let Some(&second) = node.inputs.get(1) {
            let (b, b_channels, b_first) = self.view(second);
            params = Planes {
                b_channels,
                b_first,
                ..params
            };
            starts.push((b, 0));
        }
        starts.push((y, 0));
        self.dispatch(op, &node.name, &params, &starts)
    }

    fn pool_params(&self, x: TensorId) -> GlobalAveragePool {
        let [n, h, w, c] = self.nhwc(x);
        GlobalAveragePool {
            n,
            c,
            pixels: h * w,
            masked: 0,
        }
    }

    fn global_average_pool(&mut self, node: &Node) -> Result<(), Error> {
        let params = self.pool_params(node.inputs[0]);
        let x = self.whole(node.inputs[0])?;
        let (y, ..) = self.view(node.outputs[0]);
        self.dispatch(
            &global_average_pool::Forward,
            &node.name,
            &params,
            &[(x, 0), (y, 0)],
        )
    }

    fn global_average_pool_backward(&mut self, index: usize, node: &Node) -> Result<(), Error> {
        let mut params = self.pool_params(node.outputs[0]);
        let dy = self.whole(node.inputs[0])?;
        let (dx, ..) = self.view(node.outputs[0]);
        let mut mask = dy;
        if let Some(place) = self.fusion.mask.get(&index) {
            mask = self.root(place.root);
            params.masked = 1;
        }
        self.dispatch(
            &global_average_pool::Backward,
            &node.name,
            &params,
            &[(dy, 0), (mask, 0), (dx, 0)],
        )
    }

    /// (m, k, n) of a dense layer from its kernel.
    fn matmul_params(&self, kernel: TensorId, batch_of: TensorId) -> Matmul {
        let shape = &self.model.graph.shape(kernel).0;
        Matmul::new(self.nhwc(batch_of)[0], shape[0], shape[1])
    }

    fn dense(&mut self, index: usize, node: &Node) -> Result<(), Error> {
        let [x, kernel, bias] = node.inputs[..] else {
            unreachable!("dense reads three tensors")
        };
        let relu = self.fusion.relu.contains(&index).into();
        let whole = Matmul {
            relu,
            ..self.matmul_params(kernel, x)
        };
        let params = whole.split(whole.k.div_ceil(SPLIT_K));
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

    fn dense_backward_input(&mut self, index: usize, node: &Node) -> Result<(), Error> {
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

    fn dense_backward_weight(&mut self, node: &Node) -> Result<(), Error> {
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
            let weight = MatmulWeight::new(&params, &AdamParams::keras(0));
            let starts = [(x, 0), (dy, 0), self.flat(kernel, true)];
            return self.dispatch(&matmul::BackwardWeight, &node.name, &weight, &starts);
        }
        let class = self.options.profile.class;
        let fused = self
            .options
            .fuse_adam
            .unwrap_or_else(|| variants::fuse_adam(class));
        for window in self.windows(kernel) {
            if fused {
                self.weight_adam(node, &params, [x, dy], window)?;
            } else {
                self.weight_then_adam(node, &params, [x, dy], window)?;
            }
        }
        Ok(())
    }

    /// The optimiser inside the weight gradient: no gradient is stored.
    fn weight_adam(
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
        let params = MatmulWeight::new(
            &Matmul {
                first_panel,
                panels,
                ..*params
            },
            &AdamParams::keras(0),
        );
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
    fn weight_then_adam(
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
            let weight = MatmulWeight::new(&part, &AdamParams::keras(0));
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

    fn adam_block(
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
        self.dispatch(&ops::adam::Adam, label, &AdamParams::keras(count), &starts)
    }

    /// One dispatch updates the whole arena, at the last of its parameters; the large kernels
    /// were updated where their gradient was made.
    fn adam(&mut self, node: &Node) -> Result<(), Error> {
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

    fn softmax(&mut self, node: &Node) -> Result<(), Error> {
        let [rows, _, _, classes] = self.nhwc(node.inputs[0]);
        let x = self.whole(node.inputs[0])?;
        let (y, ..) = self.view(node.outputs[0]);
        self.dispatch(
            &ops::softmax::Forward,
            &node.name,
            &Softmax { rows, classes },
            &[(x, 0), (y, 0)],
        )
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
