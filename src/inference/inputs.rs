//! What is to be answered: pictures, folders of them, npy arrays and standard input, in the order in which
//! they were named, read in chunks ahead of the device.

use super::Error;
use crate::data::{self, Split};
use crate::feed;
use crate::pictures::{self, Changed, Preprocessing};
use rayon::prelude::*;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Something that was named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Picture(PathBuf),
    Folder(PathBuf),
    Array(PathBuf),
    /// A picture on standard input.
    Stdin,
}

impl Input {
    /// What a path means: `-` is standard input, a folder its pictures, `*.npy` an array, the rest a picture.
    pub fn of(path: &Path) -> Input {
        let is_npy = |ending: &std::ffi::OsStr| ending.eq_ignore_ascii_case("npy");
        if path == Path::new("-") {
            Input::Stdin
        } else if path.is_dir() {
            Input::Folder(path.into())
        } else if path.extension().is_some_and(is_npy) {
            Input::Array(path.into())
        } else {
            Input::Picture(path.into())
        }
    }
}

/// One image that is to be answered.
pub struct Item {
    /// What the answer calls its source.
    pub input: String,
    /// Row of an array.
    pub row: Option<usize>,
    source: Source,
}

enum Source {
    Picture(PathBuf),
    Row(std::sync::Arc<Split>, usize),
    Bytes(Vec<u8>),
}

/// An image as the network sees it.
pub struct Ready {
    pub input: String,
    /// Row of an array.
    pub row: Option<usize>,
    /// (channels, height, width), scaled.
    pub pixels: Vec<f32>,
    /// How a picture came to the wanted size, if it had another.
    pub changed: Option<Changed>,
    /// The first frame of an animation.
    pub animated: bool,
}

/// All images of some inputs; what cannot be listed is an error in its place.
pub struct Rows {
    pub items: Vec<Result<Item, Error>>,
    wanted: Preprocessing,
}

impl Rows {
    /// Lists folders, reads arrays and standard input; pictures stay where they are.
    pub fn list(inputs: &[Input], wanted: &Preprocessing) -> Rows {
        let mut items = Vec::new();
        for input in inputs {
            match expand(input, wanted) {
                Ok(more) => items.extend(more.into_iter().map(Ok)),
                Err(error) => items.push(Err(error)),
            }
        }
        Rows {
            items,
            wanted: wanted.clone(),
        }
    }

    pub fn count(&self) -> usize {
        self.items.len()
    }

    /// Reads the images chunk by chunk, each chunk in parallel, and hands them to `take` until it says no.
    pub fn read(self, chunk: usize, take: &mut dyn FnMut(Vec<Result<Ready, Error>>) -> bool) {
        let Rows { items, wanted } = self;
        let mut items = items.into_iter();
        loop {
            let some: Vec<Result<Item, Error>> = items.by_ref().take(chunk).collect();
            if some.is_empty() {
                return;
            }
            let ready = some
                .into_par_iter()
                .map(|item| item.and_then(|item| item.ready(&wanted)))
                .collect();
            if !take(ready) {
                return;
            }
        }
    }
}

fn expand(input: &Input, wanted: &Preprocessing) -> Result<Vec<Item>, Error> {
    let picture = |path: PathBuf| Item {
        input: path.display().to_string(),
        row: None,
        source: Source::Picture(path),
    };
    match input {
        Input::Picture(path) => Ok(vec![picture(path.clone())]),
        Input::Folder(folder) => {
            let pictures = pictures::list(folder)?;
            Ok(pictures.into_iter().map(picture).collect())
        }
        Input::Array(path) => {
            let split = data::images_of(path, wanted.image, wanted.range)?;
            let rows = split.rows();
            let split = std::sync::Arc::new(split);
            let row = |row| Item {
                input: path.display().to_string(),
                row: Some(row),
                source: Source::Row(split.clone(), row),
            };
            Ok((0..rows).map(row).collect())
        }
        Input::Stdin => {
            let mut bytes = Vec::new();
            let mut limited = std::io::stdin().lock().take(pictures::MEMORY + 1);
            limited
                .read_to_end(&mut bytes)
                .map_err(|source| pictures::Error::Read {
                    name: "standard input".into(),
                    source,
                })?;
            if bytes.len() as u64 > pictures::MEMORY {
                let name = "standard input".into();
                return Err(pictures::Error::LongFile { name }.into());
            }
            Ok(vec![Item {
                input: "-".into(),
                row: None,
                source: Source::Bytes(bytes),
            }])
        }
    }
}

impl Item {
    fn ready(self, wanted: &Preprocessing) -> Result<Ready, Error> {
        let Item { input, row, source } = self;
        let picture = match source {
            Source::Picture(path) => pictures::read(&path, wanted)?,
            Source::Bytes(bytes) => pictures::decode(&bytes, "standard input", wanted)?,
            Source::Row(split, at) => {
                let mut values = vec![0.0; wanted.image.iter().product()];
                split.row_f32(at, wanted.range.scale(), &mut values);
                return Ok(Ready {
                    input,
                    row,
                    pixels: planes(&values, wanted.image),
                    changed: None,
                    animated: false,
                });
            }
        };
        Ok(Ready {
            input,
            row,
            pixels: planes(&wanted.inputs(&picture.pixels), wanted.image),
            changed: picture.changed,
            animated: picture.animated,
        })
    }
}

/// (h, w, c) to (c, h, w).
fn planes(values: &[f32], [_, _, channels]: [usize; 3]) -> Vec<f32> {
    let mut planes = vec![0.0; values.len()];
    feed::planes(values, channels, &mut planes);
    planes
}
