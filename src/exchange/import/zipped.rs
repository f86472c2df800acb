//! Zip archives: `.keras`, a configuration and an HDF5 file, and `.npz`, an array for each tensor.

use super::found::{Config, FileTensor, Found, MOST, Source, Suffix, grouped, unfit};
use super::{Error, Path, found};
use crate::data;
use ndarray::ArrayD;
use ndarray_npy::{ReadNpyExt, ReadableElement};
use std::fs::File;
use zip::ZipArchive;

fn archive(path: &Path, file: File) -> Result<ZipArchive<File>, Error> {
    let wrong = |error| {
        unfit(
            path,
            format!("it is no zip archive that can be read: {error}"),
        )
    };
    ZipArchive::new(file).map_err(wrong)
}

/// A `.keras` file: its weights are unpacked into a file without a name.
#[cfg(feature = "keras")]
pub(super) fn keras(path: &Path, file: File) -> Result<Found, Error> {
    use std::io::{self, Read};

    /// The most that is read of a configuration.
    const LONGEST_CONFIG: u64 = 64 << 20;
    /// Weights may be so many times as long as their archive, and so much more: they hardly shrink.
    const MOST_INFLATED: u64 = 32;
    const ALWAYS: u64 = 64 << 20;

    let length = found::read(path, file.metadata())?.len();
    let mut archive = archive(path, file)?;
    let mut config = Vec::new();
    let entry = archive.by_name("config.json");
    let entry = entry.map_err(|_| unfit(path, "it holds no config.json: is it a .keras file?"))?;
    found::read(path, entry.take(LONGEST_CONFIG).read_to_end(&mut config))?;
    let entry = archive.by_name("model.weights.h5");
    let entry = entry.map_err(|_| unfit(path, "it holds no model.weights.h5"))?;
    let mut weights = found::read(path, tempfile::tempfile())?;
    let most = length.saturating_mul(MOST_INFLATED).saturating_add(ALWAYS);
    let copied = found::read(path, io::copy(&mut entry.take(most + 1), &mut weights))?;
    if copied > most {
        return Err(unfit(
            path,
            "its weights unpack to far more than it has bytes",
        ));
    }
    super::h5::open(path, weights, Some(Config::of(&config)))
}

/// A `.npz` file: `layer/kernel`.
pub(super) fn npz(path: &Path, file: File) -> Result<Found, Error> {
    let mut archive = archive(path, file)?;
    if archive.len() > MOST {
        return Err(unfit(path, "it has more arrays than a network has tensors"));
    }
    let mut tensors = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index);
        let mut entry = entry.map_err(|error| unfit(path, error.to_string()))?;
        let place = entry.name().trim_end_matches(".npy").to_string();
        let length = entry.size();
        let named = format!("{}: {}", path.display(), found::legible(&place));
        let (shape, code) = data::described(&mut entry, &named, length)?;
        if !code.starts_with('f') {
            continue;
        }
        let Some((layer, suffix)) = place.rsplit_once('/') else {
            let what =
                format!("its array `{place}` has no name of a layer: `layer/kernel` is expected");
            return Err(unfit(path, what));
        };
        let (layer, suffix) = (layer.to_string(), suffix.split(':').next());
        let tensor = FileTensor {
            suffix: Suffix::Name(suffix.unwrap_or_default().into()),
            shape: shape.iter().map(|&extent| extent as u64).collect(),
            place,
        };
        tensors.push((Some(layer.clone()), layer, tensor));
    }
    Ok(Found {
        path: path.into(),
        layers: grouped(tensors),
        config: Config::default(),
        source: Box::new(Npz(archive)),
    })
}

struct Npz(ZipArchive<File>);

impl Npz {
    fn array<T: ReadableElement + Copy>(&mut self, name: &str) -> Result<Vec<T>, String> {
        let entry = self.0.by_name(name).map_err(|error| error.to_string())?;
        let array = ArrayD::<T>::read_npy(entry).map_err(|_| "it cannot be read".to_string())?;
        Ok(match array.is_standard_layout() {
            true => array.into_raw_vec_and_offset().0,
            false => array.iter().copied().collect(),
        })
    }
}

impl Source for Npz {
    fn read(&mut self, tensor: &FileTensor, count: usize) -> Result<Vec<f32>, String> {
        let name = format!("{}.npy", tensor.place);
        let mut entry = self.0.by_name(&name).map_err(|error| error.to_string())?;
        let length = entry.size();
        // The reader of the values trusts their shape.
        let (shape, code) = data::described(&mut entry, &tensor.place, length)
            .map_err(|error| error.to_string())?;
        drop(entry);
        let shape = shape.iter().map(|&extent| extent as u64);
        if !shape.eq(tensor.shape.iter().copied()) {
            return Err("it changed while it was read".into());
        }
        let values = match &code[..] {
            "f4" => self.array::<f32>(&name)?,
            "f8" => {
                let values = self.array::<f64>(&name)?;
                values.into_iter().map(|value| value as f32).collect()
            }
            _ => return Err(format!("its numbers are {code}: f4 and f8 are known")),
        };
        match values.len() == count {
            true => Ok(values),
            false => Err(format!("it has {} numbers, not {count}", values.len())),
        }
    }
}
