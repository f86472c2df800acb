//! Keras's HDF5 files, of whatever layout: every dataset of floats is a weight of the layer whose path leads
//! to it.
//!
//! Keras 3 counts (`layers/conv2d_1/vars/0`) and writes names beside; `model.save` to .h5 and older versions
//! name (`model_weights/conv/conv/kernel:0`). What belongs to an optimiser is left out.

use super::found::{Config, FileTensor, Found, MOST, Source, Suffix, grouped, unfit};
use super::{Error, Path};
use hdf5_reader::group::Group;
use hdf5_reader::{Datatype, Hdf5File, OpenOptions};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

/// Groups within groups that are looked at: a group may hold itself.
const DEEPEST: usize = 24;

/// The largest piece of a compressed dataset that is unpacked at once.
const LARGEST_CHUNK: usize = 64 << 20;

/// Looks through a file. `path` is what errors call it, `config` a configuration that lies beside it.
pub(super) fn open(path: &Path, file: File, config: Option<Config>) -> Result<Found, Error> {
    let wrong = |error: hdf5_reader::error::Error| {
        unfit(
            path,
            format!("it is no HDF5 file that can be read: {error}"),
        )
    };
    let storage = hdf5_reader::storage::FileStorage::from_file(file).map_err(wrong)?;
    let options = OpenOptions::default()
        .with_max_chunk_bytes(LARGEST_CHUNK)
        .with_chunk_cache_bytes(0);
    let file = Hdf5File::from_storage_with_options(Arc::new(storage), options).map_err(wrong)?;
    let root = file.root_group().map_err(wrong)?;
    let config = config.unwrap_or_else(|| match root.attribute("model_config") {
        Ok(text) => Config::of(text.read_string().unwrap_or_default().as_bytes()),
        Err(_) => Config::default(),
    });
    let mut walk = Walk {
        tensors: Vec::new(),
        names: config.places().into_iter().collect(),
        groups: 0,
    };
    walk.group(&root, "", DEEPEST)
        .map_err(|what| unfit(path, what))?;
    let Walk { tensors, names, .. } = walk;
    let layer = |tensor: FileTensor| {
        let (name, place) = layer(&tensor, &names);
        (name, place, tensor)
    };
    Ok(Found {
        path: path.into(),
        layers: grouped(tensors.into_iter().map(layer)),
        config,
        source: Box::new(H5(file)),
    })
}

struct Walk {
    tensors: Vec<FileTensor>,
    /// Names of the layers that the file says or its configuration, by the place of their tensors.
    names: HashMap<String, String>,
    groups: usize,
}

impl Walk {
    fn group(&mut self, group: &Group, path: &str, depth: usize) -> Result<(), String> {
        self.groups += 1;
        if depth == 0 || self.groups > MOST || self.tensors.len() > MOST {
            return Err("it has more groups within groups than a network".into());
        }
        let unreadable = |error| format!("its group `/{path}` cannot be read: {error}");
        let (groups, datasets) = group.members().map_err(unreadable)?;
        if let Some(layer) = path.strip_suffix("/vars")
            && let Ok(name) = group.attribute("name").and_then(|name| name.read_string())
        {
            self.names.insert(layer.into(), name);
        }
        for dataset in datasets {
            let name = dataset.name().rsplit('/').next().unwrap_or_default();
            // Counters and seeds are whole numbers.
            if matches!(dataset.dtype(), Datatype::FloatingPoint { .. }) {
                let counted = path == "vars" || path.ends_with("/vars");
                let number = name.parse().ok().filter(|_| counted);
                self.tensors.push(FileTensor {
                    place: joined(path, name),
                    suffix: match number {
                        Some(number) => Suffix::Number(number),
                        None => Suffix::Name(name.split(':').next().unwrap_or(name).into()),
                    },
                    shape: dataset.shape().to_vec(),
                });
            }
        }
        for group in groups {
            let name = group.name().rsplit('/').next().unwrap_or_default();
            let is_optimiser = path.is_empty() && name.starts_with("optimizer");
            if !is_optimiser {
                self.group(&group, &joined(path, name), depth - 1)?;
            }
        }
        Ok(())
    }
}

fn joined(path: &str, name: &str) -> String {
    match path {
        "" => name.into(),
        _ => format!("{path}/{name}"),
    }
}

/// Name and place of the layer that a tensor belongs to.
fn layer(tensor: &FileTensor, names: &HashMap<String, String>) -> (Option<String>, String) {
    let place = tensor.place.rsplit_once('/').map_or("", |(place, _)| place);
    if let Suffix::Number(_) = tensor.suffix {
        let place = place.strip_suffix("/vars").unwrap_or(place);
        return (names.get(place).cloned(), place.into());
    }
    // A layer's group holds its weights by their own names, which begin with the layer's again.
    let parts: Vec<&str> = place.split('/').filter(|p| *p != "model_weights").collect();
    let (first, second) = parts.split_at(parts.len() / 2);
    let name = match first == second && !first.is_empty() {
        true => first.join("/"),
        false => parts.last().copied().unwrap_or_default().into(),
    };
    (Some(name), place.into())
}

struct H5(Hdf5File);

impl Source for H5 {
    fn read(&mut self, tensor: &FileTensor, count: usize) -> Result<Vec<f32>, String> {
        let dataset = self.0.dataset(&tensor.place).map_err(|e| e.to_string())?;
        let elements = dataset.num_elements().map_err(|e| e.to_string())?;
        if elements != count as u64 {
            return Err(format!("it has {elements} numbers, not {count}"));
        }
        match dataset.dtype() {
            Datatype::FloatingPoint { size: 4, .. } => {
                let mut values = vec![0.0; count];
                dataset.read_into(&mut values).map_err(|e| e.to_string())?;
                Ok(values)
            }
            Datatype::FloatingPoint { size: 8, .. } => {
                let mut values = vec![0.0; count];
                dataset.read_into(&mut values).map_err(|e| e.to_string())?;
                Ok(values.into_iter().map(|value: f64| value as f32).collect())
            }
            Datatype::FloatingPoint { size, .. } => Err(format!(
                "its numbers have {size} bytes: float32 and float64 are known"
            )),
            _ => Err("it holds no floats".into()),
        }
    }
}
