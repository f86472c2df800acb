//! Writes the forward pass of a network, a layer a call, with Keras's shape rules.

use super::{Graph, Op, TensorId, TensorKind, Window};
use crate::ops::conv2d::output_size;
use crate::tensor::Shape;

/// A layer as `summary` shows it.
#[derive(Clone, Debug)]
pub struct Layer {
    pub name: String,
    /// Keras's class name.
    pub kind: &'static str,
    pub output: TensorId,
    pub parameters: usize,
    /// Layers whose output it reads.
    pub inputs: Vec<String>,
}

/// A graph under construction, for batches of `batch` images.
pub struct Builder {
    pub graph: Graph,
    pub layers: Vec<Layer>,
    batch: u32,
}

impl Builder {
    pub fn new(batch: u32) -> Builder {
        Builder {
            graph: Graph::default(),
            layers: Vec::new(),
            batch,
        }
    }

    /// Images of (height, width, channels).
    pub fn input(&mut self, name: &str, [h, w, c]: [u32; 3]) -> TensorId {
        let shape = Shape::new([self.batch, h, w, c]);
        let id = self.graph.add_tensor(name, shape, TensorKind::Image);
        self.layer(name, "InputLayer", id, 0, &[]);
        id
    }

    /// `filters` kernels over the window, bias, and ReLU where `relu` is set.
    pub fn conv2d(
        &mut self,
        name: &str,
        x: TensorId,
        filters: u32,
        window: Window,
        relu: bool,
    ) -> TensorId {
        let [n, h, w, c] = self.graph.shape(x).nhwc();
        let (height, width) = output_pixels([h, w], window);
        let kernel = Shape::new([window.size[0], window.size[1], c, filters]);
        let shape = Shape::new([n, height, width, filters]);
        self.weighted(name, Op::Conv2d(window), x, kernel, shape, relu)
    }

    /// `units` outputs of all inputs, bias, and ReLU where `relu` is set.
    pub fn dense(&mut self, name: &str, x: TensorId, units: u32, relu: bool) -> TensorId {
        let [n, _, _, features] = self.graph.shape(x).nhwc();
        let kernel = Shape::new([features, units]);
        self.weighted(name, Op::Dense, x, kernel, Shape::new([n, units]), relu)
    }

    pub fn max_pool2d(&mut self, name: &str, x: TensorId, window: Window) -> TensorId {
        let [n, h, w, c] = self.graph.shape(x).nhwc();
        let (height, width) = output_pixels([h, w], window);
        let shape = Shape::new([n, height, width, c]);
        self.plain(name, "MaxPooling2D", Op::MaxPool2d(window), &[x], shape)
    }

    /// Joins tensors of equal height and width along their channels.
    pub fn concat(&mut self, name: &str, branches: &[TensorId]) -> TensorId {
        let [n, h, w, _] = self.graph.shape(branches[0]).nhwc();
        let channels = branches
            .iter()
            .map(|&b| self.graph.shape(b).nhwc()[3])
            .sum();
        self.plain(
            name,
            "Concatenate",
            Op::Concat,
            branches,
            Shape::new([n, h, w, channels]),
        )
    }

    /// (n, h, w, c) to (n, h * w * c), in that order.
    pub fn flatten(&mut self, name: &str, x: TensorId) -> TensorId {
        let [n, h, w, c] = self.graph.shape(x).nhwc();
        self.plain(
            name,
            "Flatten",
            Op::Flatten,
            &[x],
            Shape::new([n, h * w * c]),
        )
    }

    pub fn global_average_pool(&mut self, name: &str, x: TensorId) -> TensorId {
        let [n, _, _, c] = self.graph.shape(x).nhwc();
        self.plain(
            name,
            "GlobalAveragePooling2D",
            Op::GlobalAveragePool,
            &[x],
            Shape::new([n, c]),
        )
    }

    fn plain(
        &mut self,
        name: &str,
        kind: &'static str,
        op: Op,
        inputs: &[TensorId],
        shape: Shape,
    ) -> TensorId {
        let y = self.graph.add_tensor(name, shape, TensorKind::Activation);
        self.graph.add_node(name, op, inputs.to_vec(), vec![y]);
        self.layer(name, kind, y, 0, inputs);
        y
    }

    fn weighted(
        &mut self,
        name: &str,
        op: Op,
        x: TensorId,
        kernel: Shape,
        shape: Shape,
        relu: bool,
    ) -> TensorId {
        let units = *kernel.0.last().expect("a kernel has axes");
        let parameters = kernel.len() + units as usize;
        let graph = &mut self.graph;
        let kernel = graph.add_tensor(format!("{name}/kernel"), kernel, TensorKind::Parameter);
        let bias = graph.add_tensor(
            format!("{name}/bias"),
            Shape::new([units]),
            TensorKind::Parameter,
        );
        let mut y = graph.add_tensor(name, shape.clone(), TensorKind::Activation);
        let kind = if op == Op::Dense { "Dense" } else { "Conv2D" };
        graph.add_node(name, op, vec![x, kernel, bias], vec![y]);
        if relu {
            let activated = graph.add_tensor(format!("{name}/relu"), shape, TensorKind::Activation);
            graph.add_node(name, Op::Relu, vec![y], vec![activated]);
            y = activated;
        }
        self.layer(name, kind, y, parameters, &[x]);
        y
    }

    fn layer(
        &mut self,
        name: &str,
        kind: &'static str,
        output: TensorId,
        parameters: usize,
        inputs: &[TensorId],
    ) {
        let by_output = |id: &TensorId| {
            let layer = self.layers.iter().find(|layer| layer.output == *id);
            layer.map_or_else(
                || self.graph.tensors[*id].name.clone(),
                |layer| layer.name.clone(),
            )
        };
        let inputs = inputs.iter().map(by_output).collect();
        self.layers.push(Layer {
            name: name.into(),
            kind,
            output,
            parameters,
            inputs,
        });
    }
}

fn output_pixels([h, w]: [u32; 2], window: Window) -> (u32, u32) {
    let [kh, kw] = window.size;
    let [sh, sw] = window.stride;
    (
        output_size(h, kh, sh, window.padding).0,
        output_size(w, kw, sw, window.padding).0,
    )
}
