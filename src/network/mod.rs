//! The networks: texts, of the box or of files, that say layers; a program of one's own may write them through the
//! builder. A model is what comes of it, with its heads; reverse mode turns its graph into the one that training
//! runs.

mod backward;
mod boxed;
mod builder;
mod file;
mod joining;

use crate::documents;
pub use crate::documents::Error;
use crate::graph::{Graph, Kind, Mode, Node, TensorId};
use crate::layers::Loss;
pub use boxed::NETWORKS;
pub use builder::{Builder, LayerRow};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// A network that `--model` can name.
#[derive(Clone, Debug)]
pub struct Network {
    pub name: String,
    /// One line.
    pub about: String,
    /// Height, width and channels of the images that it asks for.
    pub image: [u32; 3],
    /// In TOML, as docs/networks.md says: all that it is.
    pub text: String,
    /// Where the text stands, for errors.
    origin: String,
    definition: Arc<file::Definition>,
}

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
    /// The network of the box of that name.
    pub fn find(name: &str) -> Option<&'static Network> {
        NETWORKS.iter().find(|network| network.name == name)
    }

    /// All names, for whoever asked for another.
    pub fn names() -> String {
        let names: Vec<&str> = NETWORKS.iter().map(|n| n.name.as_str()).collect();
        names.join(", ")
    }

    /// What `--model` means: a network of the box, or a file.
    ///
    /// # Errors
    /// If there is none, or its text is wrong.
    pub fn named(model: &str) -> Result<Network, Error> {
        if documents::is_path(model) {
            return Network::read(Path::new(model));
        }
        let unknown = || {
            let names: Vec<&str> = NETWORKS.iter().map(|n| n.name.as_str()).collect();
            Error::unknown("model", model, &names)
        };
        Network::find(model).cloned().ok_or_else(unknown)
    }

    /// The network of a file.
    ///
    /// # Errors
    /// If it cannot be read, or its text is wrong.
    pub fn read(path: &Path) -> Result<Network, Error> {
        let (path, text) = documents::read(path)?;
        Network::from_text(&path, &text)
    }

    /// The network of a text; `origin` is what errors call the place where it stands.
    ///
    /// # Errors
    /// If it is wrong in itself. Whether shapes fit is known when it is built.
    pub fn from_text(origin: &str, text: &str) -> Result<Network, Error> {
        let definition = file::Definition::read(text);
        let definition = definition.map_err(|fault| Error::text(origin, text, fault))?;
        Ok(Network {
            name: definition.name.clone(),
            about: definition.about.clone(),
            image: definition.image,
            text: text.into(),
            origin: origin.into(),
            definition: Arc::new(definition),
        })
    }

    /// The forward pass for images of its own shape.
    ///
    /// # Panics
    /// Where [`Network::try_build_for`] fails.
    pub fn build(&self, classes: u32) -> Model {
        self.build_for(self.image, classes)
    }

    /// The forward pass for images of (height, width, channels).
    ///
    /// # Panics
    /// Where [`Network::try_build_for`] fails.
    pub fn build_for(&self, image: [u32; 3], classes: u32) -> Model {
        let built = self.try_build_for(image, classes);
        built.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The forward pass for images of (height, width, channels).
    ///
    /// # Errors
    /// If a layer cannot take what it reads, or the last makes another number of classes.
    pub fn try_build_for(&self, image: [u32; 3], classes: u32) -> Result<Model, Error> {
        let model = self.definition.assemble(image, classes);
        model.map_err(|fault| Error::text(&self.origin, &self.text, fault))
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

    /// Multiplications with an addition each that an image takes, all heads' layers counted.
    pub fn multiply_adds(&self) -> u64 {
        self.layers.iter().map(|row| row.multiply_adds).sum()
    }

    /// Numbers of a layer's own that training changes.
    pub fn trainable_of(&self, row: &LayerRow) -> usize {
        if row.parameters == 0 {
            // It has none, or those of another layer.
            return 0;
        }
        let nodes = self.graph.nodes.iter().filter(|node| node.name == row.name);
        let tensors = nodes
            .flat_map(|node| &node.own)
            .map(|&id| &self.graph.tensors[id]);
        let trained = tensors.filter(|tensor| tensor.kind == Kind::Weight);
        trained.map(|tensor| tensor.shape.len()).sum()
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
    let needed = needed(graph, heads);
    let used = |node: &Node| node.outputs.iter().any(|&id| needed[id]);
    graph.nodes.retain(used);
}

/// For each tensor that layers make or read: does a head depend on it?
fn needed(graph: &Graph, heads: &[Head]) -> Vec<bool> {
    let mut needed = vec![false; graph.tensors.len()];
    heads.iter().for_each(|head| needed[head.logits] = true);
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|&id| needed[id]) {
            node.inputs.iter().for_each(|&id| needed[id] = true);
        }
    }
    needed
}
