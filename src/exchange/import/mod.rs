//! Weights that Keras or numpy wrote -> a file of weights of ours: `h5` and `zipped` look a file through, `assign`
//! says which tensor is which, and the values are copied one tensor at a time.
//!
//! Kernels need no change: files of ours hold them in Keras's order, flattened features too.

mod assign;
mod found;
#[cfg(feature = "keras")]
mod h5;
mod zipped;

pub use assign::Pair;

use super::{Error, tensors};
use crate::data::{PixelRange, class_names};
use crate::graph::TensorId;
use crate::network::{Model, Network};
use crate::pictures::{Preprocessing, Standardise};
use crate::weights::{self, Record};
use found::{Found, Suffix, unfit};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

/// Endings of files that are read.
pub const ENDINGS: &[&str] = &["h5", "hdf5", "keras", "npz"];

/// Numbers of classes that a network may have.
const CLASSES: std::ops::RangeInclusive<u64> = 2..=1000;

/// What the weights are of, as far as a file of them cannot say it.
pub struct Wanted {
    pub network: Network,
    /// By class number; where nobody names them, as many as the file has outputs.
    pub class_names: Option<Vec<String>>,
    /// Height, width and channels; where nobody says them, what the file's configuration says, or what the
    /// network usually takes.
    pub image: Option<[u32; 3]>,
    /// Of the pixels that it was trained on.
    pub range: PixelRange,
    /// How they were standardised behind that.
    pub standardise: Option<Standardise>,
}

/// Weights of another program whose tensors were all found.
pub struct Import {
    pub model: Model,
    pub record: Record,
    /// In the model's order.
    pub pairs: Vec<Pair>,
    found: Found,
}

impl Import {
    /// Looks a file through and finds every tensor of the network in it.
    ///
    /// # Errors
    /// If the file cannot be read, lacks a tensor or has one more, or may be read in more than one way.
    pub fn open(path: &Path, wanted: &Wanted) -> Result<Import, Error> {
        let found = open(path)?;
        if found.config.is_channels_first() {
            let what = "its layers put channels first (data_format), which changes what a dense layer behind a flattening reads: channels_last is needed";
            return Err(unfit(path, what));
        }
        let image = image(&found, wanted)?;
        let (model, pairs) = match &wanted.class_names {
            Some(names) => {
                let model = wanted.network.try_build_for(image, names.len() as u32)?;
                let pairs = assign::assign(&found, &model).map_err(|what| unfit(path, what))?;
                (model, pairs)
            }
            None => of_any_classes(&found, &wanted.network, image)?,
        };
        let names = wanted.class_names.clone();
        let record = Record {
            model: model.name.clone(),
            network: Some(wanted.network.text.clone()),
            class_names: names.unwrap_or_else(|| class_names(model.classes as usize)),
            preprocessing: Preprocessing {
                standardise: wanted.standardise.clone(),
                ..Preprocessing::usual(image.map(|extent| extent as usize), wanted.range)
            },
            variants: Default::default(),
            schedule: None,
            epoch: 0,
        };
        record.preprocessing.check()?;
        Ok(Import {
            model,
            record,
            pairs,
            found,
        })
    }

    /// Writes a file of weights, as `train` does.
    ///
    /// # Errors
    /// If a tensor cannot be read, or the disk refuses: then nothing was written.
    pub fn write(&mut self, path: &Path) -> Result<(), Error> {
        let Import { pairs, found, .. } = self;
        let tensors = tensors(&self.model);
        weights::write(path, &tensors, self.record.metadata(), |index, sink| {
            let (name, shape) = &tensors[index];
            let pair = pairs.iter().find(|pair| pair.ours == *name);
            let theirs = &pair.expect("all were found").theirs;
            let values = found.source.read(theirs, shape.len());
            let values = values.map_err(|why| {
                unfit(&found.path, format!("its tensor `{}`: {why}", theirs.place))
            })?;
            Ok(sink(&values)?)
        })
    }
}

/// Looks a file through.
fn open(path: &Path) -> Result<Found, Error> {
    let ending = path.extension().map(|ending| ending.to_string_lossy());
    let ending = ending.unwrap_or_default().to_lowercase();
    if !ENDINGS.contains(&&ending[..]) {
        let known: Vec<String> = ENDINGS.iter().map(|name| format!(".{name}")).collect();
        return Err(Error::Ending {
            path: path.into(),
            known: known.join(", "),
        });
    }
    // Asked before opening: opening a pipe would wait for a writer.
    if !found::read(path, std::fs::metadata(path))?.is_file() {
        return Err(unfit(path, "it is no regular file"));
    }
    let file = found::read(path, File::open(path))?;
    match &ending[..] {
        "npz" => zipped::npz(path, file),
        #[cfg(feature = "keras")]
        "keras" => zipped::keras(path, file),
        #[cfg(feature = "keras")]
        _ => h5::open(path, file, None),
        #[cfg(not(feature = "keras"))]
        _ => Err(unfit(
            path,
            "this fer-gpu was built without the feature `keras`",
        )),
    }
}

/// The images that the weights are for.
fn image(found: &Found, wanted: &Wanted) -> Result<[u32; 3], Error> {
    let shown = |[h, w, c]: [u32; 3]| format!("{h}x{w}x{c}");
    match (wanted.image, found.config.image()) {
        (Some(wanted), Some(says)) if wanted != says => {
            let what = format!("its network takes {}, not {}", shown(says), shown(wanted));
            Err(unfit(&found.path, what))
        }
        (wanted_image, says) => {
            let image = wanted_image.or(says).unwrap_or(wanted.network.image);
            // Before a network is built for it.
            let extents = image.map(|extent| extent as usize);
            Preprocessing::usual(extents, wanted.range).check()?;
            Ok(image)
        }
    }
}

/// The network with as many classes as the file has outputs: the only number of which all tensors fit.
fn of_any_classes(
    found: &Found,
    network: &Network,
    image: [u32; 3],
) -> Result<(Model, Vec<Pair>), Error> {
    let vectors = found.layers.iter().flat_map(|layer| &layer.tensors);
    let extents = vectors.filter_map(|tensor| match tensor.shape[..] {
        [extent] if CLASSES.contains(&extent) => Some(extent as u32),
        _ => None,
    });
    let extents: BTreeSet<u32> = extents.collect();
    let attempt = |classes: u32| -> Result<_, Error> {
        let model = network.try_build_for(image, classes)?;
        let pairs = assign::assign(found, &model);
        Ok((model, pairs))
    };
    let mut fitting = Vec::new();
    for &classes in &extents {
        if let (model, Ok(pairs)) = attempt(classes)? {
            fitting.push((model, pairs));
        }
    }
    match fitting.len() {
        1 => Ok(fitting.remove(0)),
        0 => {
            // What is told is of the number that the file's own last layer has, if it has one of ours.
            let classes = outputs(found, &network.try_build_for(image, 2)?);
            let (_, told) = attempt(classes.unwrap_or(7))?;
            Err(unfit(&found.path, told.expect_err("no number fits")))
        }
        _ => {
            let numbers = fitting.iter().map(|(model, _)| model.classes.to_string());
            let numbers = numbers.collect::<Vec<_>>().join(" or ");
            let what = format!("it may have {numbers} classes: give --classes");
            Err(unfit(&found.path, what))
        }
    }
}

/// How many outputs the file's layer has that is named as ours that makes the logits.
fn outputs(found: &Found, model: &Model) -> Option<u32> {
    let logits: TensorId = model.heads[0].logits;
    let node = &model.graph.nodes[model.graph.producer(logits)?];
    let same = |layer: &&found::FileLayer| layer.name.as_deref() == Some(&node.name);
    let layer = found.layers.iter().find(same)?;
    let bias = layer.tensors.iter().find(|tensor| {
        let named = matches!(&tensor.suffix, Suffix::Name(name) if name == "bias");
        named || tensor.suffix == Suffix::Number(1)
    })?;
    match bias.shape[..] {
        [extent] if CLASSES.contains(&extent) => Some(extent as u32),
        _ => None,
    }
}
