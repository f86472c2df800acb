//! The networks, by name: each writes its layers into a graph builder.

mod inception;

use crate::graph::{Builder, Graph, Layer, TensorId};

/// A network that `--model` can name.
pub struct Network {
    pub name: &'static str,
    pub about: &'static str,
    /// Height, width and channels of its images.
    pub image: [u32; 3],
    layers: fn(&mut Builder, TensorId, u32) -> TensorId,
}

/// Every network.
pub static NETWORKS: &[Network] = &[inception::INCEPTION, inception::INCEPTION_GAP];

/// A forward graph and where its images enter and its logits leave.
pub struct Model {
    pub name: &'static str,
    pub graph: Graph,
    pub layers: Vec<Layer>,
    pub image: TensorId,
    pub logits: TensorId,
    pub classes: u32,
}

impl Network {
    pub fn find(name: &str) -> Option<&'static Network> {
        NETWORKS.iter().find(|network| network.name == name)
    }

    /// The forward pass for batches of `batch` images and `classes` classes.
    pub fn build(&self, batch: u32, classes: u32) -> Model {
        let mut builder = Builder::new(batch);
        let image = builder.input("image", self.image);
        let logits = (self.layers)(&mut builder, image, classes);
        let Builder { graph, layers, .. } = builder;
        Model {
            name: self.name,
            graph,
            layers,
            image,
            logits,
            classes,
        }
    }
}

impl Model {
    /// Trainable numbers.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.parameters).sum()
    }
}
