//! The networks, by name: each writes its layers through the builder. A model is what comes of it, with its
//! heads; reverse mode turns its graph into the one that training runs.

mod backward;
mod builder;
mod inception;

use crate::graph::{Graph, Kind, Mode, TensorId};
use crate::layers::Loss;
pub use builder::{Builder, LayerRow};
use std::collections::HashMap;

/// A network that `--model` can name.
pub struct Network {
    pub name: &'static str,
    pub about: &'static str,
    /// Height, width and channels of the images that it asks for.
    pub image: [u32; 3],
    layers: fn(&mut Builder, TensorId, u32) -> TensorId,
}

/// Every network.
pub static NETWORKS: &[Network] = &[inception::INCEPTION, inception::INCEPTION_GAP];

/// Where a network says what it sees: logits with a loss of their own.
#[derive(Clone, Debug)]
pub struct Head {
    /// Empty for the one that predictions come from.
    pub name: String,
    pub logits: TensorId,
    /// The share of its loss in the whole.
    pub weight: f32,
}

impl Head {
    /// The head that predictions come from.
    pub fn main(logits: TensorId) -> Head {
        Head {
            name: String::new(),
            logits,
            weight: 1.0,
        }
    }

    /// A further one, for training.
    pub fn auxiliary(name: &str, logits: TensorId, weight: f32) -> Head {
        Head {
            name: name.into(),
            logits,
            weight,
        }
    }

    /// `loss`, or `loss/aux`.
    fn loss_name(&self) -> String {
        match self.name.as_str() {
            "" => "loss".into(),
            name => format!("loss/{name}"),
        }
    }
}

/// A forward graph of one image, and where images enter and logits leave.
#[derive(Clone)]
pub struct Model {
    pub name: String,
    pub graph: Graph,
    pub layers: Vec<LayerRow>,
    pub image: TensorId,
    /// The first is the one that predictions come from.
    pub heads: Vec<Head>,
    pub classes: u32,
}

impl Network {
    pub fn find(name: &str) -> Option<&'static Network> {
        NETWORKS.iter().find(|network| network.name == name)
    }

    /// All names, for whoever asked for another.
    pub fn names() -> String {
        let names: Vec<&str> = NETWORKS.iter().map(|network| network.name).collect();
        names.join(", ")
    }

    /// The forward pass for images of its own shape.
    pub fn build(&self, classes: u32) -> Model {
        self.build_for(self.image, classes)
    }

    /// The forward pass for images of (height, width, channels).
    pub fn build_for(&self, image: [u32; 3], classes: u32) -> Model {
        let mut builder = Builder::new();
        let input = builder.input("image", image);
        let logits = (self.layers)(&mut builder, input, classes);
        builder.model(self.name, logits)
    }
}

impl Model {
    /// Numbers in all tensors that a file of the network holds.
    pub fn parameters(&self) -> usize {
        self.count(Kind::is_held)
    }

    /// Numbers that training changes.
    pub fn trainable(&self) -> usize {
        self.count(|kind| kind == Kind::Weight)
    }

    fn count(&self, which: impl Fn(Kind) -> bool) -> usize {
        let tensors = self.graph.tensors.iter().filter(|t| which(t.kind));
        tensors.map(|tensor| tensor.shape.len()).sum()
    }

    /// Keeps the tensors whose names match a pattern such as `mid_1/*` as they are; how many these are.
    ///
    /// # Errors
    /// If it is no pattern.
    pub fn freeze(&mut self, pattern: &str) -> Result<usize, glob::PatternError> {
        let pattern = glob::Pattern::new(pattern)?;
        let held = self.graph.tensors.iter_mut();
        let named = held.filter(|t| t.kind.is_held() && pattern.matches(&t.name));
        Ok(named.map(|tensor| tensor.kind = Kind::Frozen).count())
    }

    /// (height, width, channels) of its images.
    pub fn image_shape(&self) -> [u32; 3] {
        let [_, h, w, c] = self.graph.shape(self.image).nhwc();
        [h, w, c]
    }

    /// The nodes that a program of that mode runs: what its heads need, and their losses. Predictions come from the
    /// first alone.
    pub fn graph_for(&self, mode: Mode, loss: &Loss) -> Graph {
        let mut graph = self.graph.clone();
        let heads = match mode {
            Mode::Predict => &self.heads[..1],
            Mode::Evaluate | Mode::Train => &self.heads[..],
        };
        keep(&mut graph, heads);
        if mode != Mode::Train {
            rest(&mut graph, heads);
        }
        match mode {
            Mode::Predict => {}
            Mode::Evaluate => backward::losses(&mut graph, &self.heads, loss, mode),
            Mode::Train => {
                backward::losses(&mut graph, &self.heads, loss, mode);
                backward::expand(&mut graph);
            }
        }
        graph
    }
}

/// Drops the layers that do nothing where nothing trains: who reads them reads what they read. One that makes a
/// head's logits stays, for those are looked for by their number.
fn rest(graph: &mut Graph, heads: &[Head]) {
    let mut source: HashMap<TensorId, TensorId> = HashMap::new();
    graph.nodes.retain_mut(|node| {
        for id in node.inputs.iter_mut().chain(&mut node.layer_inputs) {
            *id = source.get(id).copied().unwrap_or(*id);
        }
        let made = node.outputs[0];
        let shown = heads.iter().any(|head| head.logits == made);
        let rests = node.layer.only_in_training() && !shown;
        if rests {
            source.insert(made, node.inputs[0]);
        }
        !rests
    });
}

/// Drops the nodes on which no head depends.
fn keep(graph: &mut Graph, heads: &[Head]) {
    let mut needed = vec![false; graph.tensors.len()];
    heads.iter().for_each(|head| needed[head.logits] = true);
    let mut nodes = std::mem::take(&mut graph.nodes);
    nodes.reverse();
    nodes.retain(|node| {
        let used = node.outputs.iter().any(|&id| needed[id]);
        if used {
            node.inputs.iter().for_each(|&id| needed[id] = true);
        }
        used
    });
    nodes.reverse();
    graph.nodes = nodes;
}
