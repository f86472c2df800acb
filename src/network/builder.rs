//! Writes the forward pass of a network, a layer a call, with Keras's shape rules.

use super::{Head, Model};
use crate::graph::{
    Declared, Graph, Held, Kind, Layer, Layout, Mode, Node, Outline, Own, Pass, Refusal, TensorId,
    Window,
};
use crate::layers::{
    Activation, CategoricalCrossentropy, Concatenate, Conv2D, Dense, Flatten, Function,
    GlobalAveragePooling2D, Loss, MaxPooling2D,
};
use crate::tensor::Shape;
use std::collections::HashSet;
use std::sync::Arc;

/// A layer as `summary` shows it.
#[derive(Clone, Debug)]
pub struct LayerRow {
    pub name: String,
    /// Keras's class name.
    pub kind: &'static str,
    pub output: TensorId,
    pub parameters: usize,
    /// Multiplications with an addition each, of one image.
    pub multiply_adds: u64,
    /// Layers whose output it reads.
    pub inputs: Vec<String>,
}

/// A graph under construction.
///
/// The methods named after layers are for networks written in Rust and panic where a layer cannot take its
/// inputs; [`Builder::layer`] says so instead.
#[derive(Default)]
pub struct Builder {
    graph: Graph,
    rows: Vec<LayerRow>,
    image: Option<TensorId>,
}

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Images of (height, width, channels).
    pub fn input(&mut self, name: &str, [h, w, c]: [u32; 3]) -> TensorId {
        let shape = Shape::new([1, h, w, c]);
        let id = self.graph.add_tensor(name, shape, Kind::Image, None);
        self.image = Some(id);
        self.row(name, "InputLayer", id, [0, 0], &[]);
        id
    }

    /// A layer with tensors of its own.
    ///
    /// # Errors
    /// Where it cannot take these inputs, or the name is that of another layer.
    pub fn layer(
        &mut self,
        name: &str,
        layer: impl Layer + 'static,
        inputs: &[TensorId],
    ) -> Result<TensorId, Refusal> {
        self.add(name, Arc::new(layer), inputs)
    }

    /// The same for a layer that was read from text, as [`crate::layers::parse`] does.
    ///
    /// # Errors
    /// Those of [`Builder::layer`].
    pub fn add(
        &mut self,
        name: &str,
        layer: Arc<dyn Layer>,
        inputs: &[TensorId],
    ) -> Result<TensorId, Refusal> {
        let outline = self.outline(name, &*layer, inputs)?;
        let work = self.work(&*layer, inputs);
        let mut own = Vec::new();
        let mut parameters = 0;
        for declared in outline.own {
            let kind = match declared.own {
                Own::Kernel { .. } | Own::Vector => Kind::Weight,
                Own::State { .. } => Kind::State,
            };
            parameters += declared.shape.len();
            let held = Held {
                own: declared.own,
                init: declared.init,
                layout: declared.layout,
            };
            let name = format!("{name}/{}", declared.suffix);
            let shape = declared.shape;
            own.push(self.graph.add_tensor(name, shape, kind, Some(held)));
        }
        let outputs = self.outputs(name, outline.outputs);
        let y = outputs[0];
        let kind = layer.kind();
        self.node(name, layer, inputs, outputs, own);
        self.row(name, kind, y, [parameters as u64, work], inputs);
        Ok(y)
    }

    /// The same with a function behind it, which is part of that layer's row.
    ///
    /// # Errors
    /// Those of [`Builder::layer`].
    pub fn add_activated(
        &mut self,
        name: &str,
        layer: Arc<dyn Layer>,
        function: Option<Arc<dyn Layer>>,
        inputs: &[TensorId],
    ) -> Result<TensorId, Refusal> {
        let y = self.add(name, layer, inputs)?;
        match function {
            Some(function) => self.activation(name, function, y),
            None => Ok(y),
        }
    }

    /// The shape of a tensor, of one image.
    pub fn shape(&self, id: TensorId) -> Shape {
        self.graph.shape(id).clone()
    }

    /// Is a tensor (n, classes), each of which one number was computed for?
    ///
    /// # Errors
    /// Where it is not.
    pub fn are_logits(&self, id: TensorId, classes: u32) -> Result<(), Refusal> {
        let is_one = self.graph.flattened_pixels(id) == 1;
        match self.graph.shape(id).0[..] {
            [_, found] if found == classes && is_one => Ok(()),
            _ => Err(Refusal {
                expected: format!("(n, {classes})"),
                found: self.told(&[id]),
            }),
        }
    }

    /// The layer `shared` once more, with the same tensors, on other inputs.
    ///
    /// # Errors
    /// Where it cannot take these inputs, its tensors would need other shapes or another order, or the name is
    /// that of another layer.
    ///
    /// # Panics
    /// If there is no layer `shared`.
    pub fn again(
        &mut self,
        name: &str,
        shared: &str,
        inputs: &[TensorId],
    ) -> Result<TensorId, Refusal> {
        let node = self.graph.nodes.iter().find(|node| node.name == shared);
        let Node {
            layer,
            own,
            inputs: before,
            ..
        } = node.expect("a layer to share").clone();
        let outline = self.outline(name, &*layer, inputs)?;
        let in_panels = |declared: &Declared| declared.layout == Layout::Panels;
        let order = |ids: &[TensorId]| self.graph.flattened_pixels(ids[0]);
        let reordered = outline.own.iter().any(in_panels) && order(inputs) != order(&before);
        let mut tensors = own.iter().zip(&outline.own);
        if reordered || tensors.any(|(&id, d)| *self.graph.shape(id) != d.shape) {
            return Err(Refusal {
                expected: format!("what `{shared}` reads, {}", self.told(&before)),
                found: self.told(inputs),
            });
        }
        let work = self.work(&*layer, inputs);
        let outputs = self.outputs(name, outline.outputs);
        let y = outputs[0];
        let kind = layer.kind();
        self.node(name, layer, inputs, outputs, own);
        self.row(name, kind, y, [0, work], inputs);
        Ok(y)
    }

    /// Keeps the tensors of the layers whose names begin so as they are.
    pub fn freeze(&mut self, prefix: &str) {
        let nodes = self.graph.nodes.iter();
        for node in nodes.filter(|node| node.name.starts_with(prefix)) {
            for &id in &node.own {
                let kind = &mut self.graph.tensors[id].kind;
                *kind = Kind::Frozen;
            }
        }
    }

    /// The finished network: its logits, one head.
    pub fn model(self, name: &str, logits: TensorId) -> Model {
        self.model_with_heads(name, vec![Head::main(logits)])
    }

    /// The finished network. The first head is the one that predictions come from.
    ///
    /// # Panics
    /// If there is no head or no input; if a head is no (n, classes), or they differ in their classes; if the first
    /// has a name, or two have the same name or logits.
    pub fn model_with_heads(self, name: &str, heads: Vec<Head>) -> Model {
        let first = heads.first().expect("a head");
        assert!(
            first.name.is_empty(),
            "{name}: the first head is the main one"
        );
        let classes = self.graph.shape(first.logits).clone();
        for Head { logits, weight, .. } in &heads {
            let loss = CategoricalCrossentropy::new(*weight, &Loss::default(), Mode::Train);
            if let Err(refusal) = loss.outline(&[self.graph.shape(*logits)]) {
                panic!("{name}: {refusal}");
            }
            let (shape, pixels) = (
                self.graph.shape(*logits),
                self.graph.flattened_pixels(*logits),
            );
            assert!(
                *shape == classes && pixels == 1,
                "{name}: {}",
                self.told(&[*logits])
            );
        }
        let names: HashSet<&String> = heads.iter().map(|head| &head.name).collect();
        let logits: HashSet<TensorId> = heads.iter().map(|head| head.logits).collect();
        let distinct = names.len().min(logits.len());
        assert_eq!(
            distinct,
            heads.len(),
            "{name}: each head has its name and logits"
        );
        let count = classes.nhwc()[3];
        Model {
            name: name.into(),
            image: self.image.expect("an input"),
            classes: count,
            heads,
            graph: self.graph,
            layers: self.rows,
        }
    }

    /// What a layer of that name makes of these inputs.
    fn outline(
        &self,
        name: &str,
        layer: &dyn Layer,
        inputs: &[TensorId],
    ) -> Result<Outline, Refusal> {
        if self.rows.iter().any(|row| row.name == name) {
            return Err(Refusal {
                expected: "a name of its own".into(),
                found: format!("that of another layer, `{name}`"),
            });
        }
        let shapes: Vec<&Shape> = inputs.iter().map(|&id| self.graph.shape(id)).collect();
        if shapes.iter().map(|shape| count(shape)).sum::<u128>() > 4 * MOST_ACTIVATIONS {
            return Err(Refusal::new("less to read", &shapes));
        }
        let outline = layer.outline(&shapes)?;
        fit(&outline)?;
        // What was flattened keeps its image's order, which a sum may share but nothing may mix.
        let orders = || inputs.iter().map(|&id| self.graph.flattened_pixels(id));
        let common = match layer.caps(Pass::Forward, &shapes).elementwise {
            true => orders().next().unwrap_or(1),
            false => 1,
        };
        if inputs.len() > 1 && orders().any(|order| order != common) {
            return Err(Refusal {
                expected: "features of one order".into(),
                found: self.told(inputs),
            });
        }
        Ok(outline)
    }

    /// A layer's products over tensors.
    fn work(&self, layer: &dyn Layer, inputs: &[TensorId]) -> u64 {
        let shapes: Vec<&Shape> = inputs.iter().map(|&id| self.graph.shape(id)).collect();
        layer.multiply_adds(&shapes)
    }

    /// Shapes, and what they were flattened from.
    fn told(&self, tensors: &[TensorId]) -> String {
        let told = |&id: &TensorId| match self.graph.flattened_pixels(id) {
            1 => self.graph.shape(id).to_string(),
            pixels => format!("{} flattened from {pixels} pixels", self.graph.shape(id)),
        };
        tensors.iter().map(told).collect::<Vec<_>>().join(" and ")
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
        self.activated(name, Conv2D::new(filters, window), x, relu)
    }

    /// `units` outputs of all inputs, bias, and ReLU where `relu` is set.
    pub fn dense(&mut self, name: &str, x: TensorId, units: u32, relu: bool) -> TensorId {
        self.activated(name, Dense::new(units), x, relu)
    }

    pub fn max_pool2d(&mut self, name: &str, x: TensorId, window: Window) -> TensorId {
        self.plain(name, MaxPooling2D(window), &[x])
    }

    /// Joins tensors of equal height and width along their channels.
    pub fn concat(&mut self, name: &str, branches: &[TensorId]) -> TensorId {
        self.plain(name, Concatenate, branches)
    }

    /// (n, h, w, c) to (n, h * w * c), in that order.
    pub fn flatten(&mut self, name: &str, x: TensorId) -> TensorId {
        self.plain(name, Flatten, &[x])
    }

    pub fn global_average_pool(&mut self, name: &str, x: TensorId) -> TensorId {
        self.plain(name, GlobalAveragePooling2D, &[x])
    }

    fn plain(&mut self, name: &str, layer: impl Layer + 'static, inputs: &[TensorId]) -> TensorId {
        self.layer(name, layer, inputs)
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
    }

    fn activated(
        &mut self,
        name: &str,
        layer: impl Layer + 'static,
        x: TensorId,
        relu: bool,
    ) -> TensorId {
        let relu = relu.then(|| Arc::new(Activation(Function::Relu)) as Arc<dyn Layer>);
        self.add_activated(name, Arc::new(layer), relu, &[x])
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
    }

    /// The function behind the layer whose output `x` is: part of that layer's row.
    fn activation(
        &mut self,
        name: &str,
        layer: Arc<dyn Layer>,
        x: TensorId,
    ) -> Result<TensorId, Refusal> {
        let outline = layer.outline(&[self.graph.shape(x)])?;
        let config = layer.config();
        let function = config["activation"].as_str().unwrap_or("activation");
        let outputs = self.outputs(&format!("{name}/{function}"), outline.outputs);
        let y = outputs[0];
        self.node(name, layer, &[x], outputs, Vec::new());
        self.rows.last_mut().expect("its layer").output = y;
        Ok(y)
    }

    fn outputs(&mut self, name: &str, shapes: Vec<Shape>) -> Vec<TensorId> {
        let mut one = |(i, shape)| {
            let name = match i {
                0 => name.to_string(),
                _ => format!("{name} ({i})"),
            };
            self.graph.add_tensor(name, shape, Kind::Activation, None)
        };
        shapes.into_iter().enumerate().map(&mut one).collect()
    }

    fn node(
        &mut self,
        name: &str,
        layer: Arc<dyn Layer>,
        inputs: &[TensorId],
        outputs: Vec<TensorId>,
        own: Vec<TensorId>,
    ) {
        self.graph.nodes.push(Node {
            name: name.into(),
            layer,
            pass: Pass::Forward,
            inputs: inputs.to_vec(),
            outputs,
            own,
            layer_inputs: inputs.to_vec(),
        });
    }

    fn row(
        &mut self,
        name: &str,
        kind: &'static str,
        output: TensorId,
        [parameters, multiply_adds]: [u64; 2],
        inputs: &[TensorId],
    ) {
        let by_output = |id: &TensorId| {
            let row = self.rows.iter().find(|row| row.output == *id);
            row.map_or_else(
                || self.graph.tensors[*id].name.clone(),
                |row| row.name.clone(),
            )
        };
        let inputs = inputs.iter().map(by_output).collect();
        self.rows.push(LayerRow {
            name: name.into(),
            kind,
            output,
            parameters: parameters as usize,
            multiply_adds,
            inputs,
        });
    }
}

/// Most numbers that an image may become, and that a held tensor may have: what follows from them overflows
/// nowhere. No device has room for more.
const MOST_ACTIVATIONS: u128 = 1 << 28;
const MOST_WEIGHTS: u128 = 1 << 32;

fn count(shape: &Shape) -> u128 {
    shape.0.iter().map(|&extent| u128::from(extent)).product()
}

/// Refuses what is too large to be counted.
fn fit(outline: &Outline) -> Result<(), Refusal> {
    let within = |shape: &Shape, most: u128| match count(shape) {
        count if count > most => Err(Refusal::new(
            format!("a tensor of at most {most} numbers"),
            &[shape],
        )),
        _ => Ok(()),
    };
    let outputs = outline.outputs.iter();
    let own = outline.own.iter().map(|declared| &declared.shape);
    outputs
        .map(|shape| (shape, MOST_ACTIVATIONS))
        .chain(own.map(|shape| (shape, MOST_WEIGHTS)))
        .try_for_each(|(shape, most)| within(shape, most))
}
