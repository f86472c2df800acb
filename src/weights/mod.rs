//! Safetensors files, streamed: a tensor goes from the device to the disk, or back, in chunks,
//! so that a network of any size needs little memory. The header is the safetensors crate's.

mod error;
mod record;

pub use error::Error;
pub use record::{Record, class_names, preprocessing};

use crate::files::{self, Draft, Sealed, Unsealed};
use crate::gpu::{Executor, Tensor};
use crate::plan::Plan;
use crate::tensor::Shape;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// Longest header that is read: the networks here need a few kilobytes.
const LONGEST_HEADER: u64 = 16 << 20;

/// One tensor of a file: a parameter's values or what the optimiser keeps for it.
#[derive(Clone, Copy)]
struct Part {
    parameter: usize,
    which: Tensor,
}

/// Which tensors a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// As others expect of a model file.
    Weights,
    /// The same of the average over the steps: what it has no average of is as it is.
    Averages,
    /// All that training needs to go on.
    Training,
    /// None, where the metadata say how to make them.
    Nothing,
}

/// The name of a part: what the optimiser keeps has the slot's name before that of the parameter, as in
/// `moment1/<parameter>`.
fn name(plan: &Plan, part: Part) -> String {
    let parameter = &plan.parameters[part.parameter].name;
    match part.which {
        Tensor::Values => parameter.clone(),
        Tensor::Slot(slot) => format!("{}/{parameter}", plan.rule.slots()[slot]),
        Tensor::Average => format!("{OF_AVERAGES}/{parameter}"),
    }
}

/// What the average of a parameter is called in a resume point.
const OF_AVERAGES: &str = "average";

/// The tensors of a file: all values, then slot by slot what belongs to the parameters that are trained, then the
/// averages.
fn parts(plan: &Plan, contents: Contents) -> Vec<Part> {
    let of = |which| move |parameter| Part { parameter, which };
    let values = (0..plan.parameters.len()).map(of(Tensor::Values));
    let trained = || (0..plan.parameters.len()).filter(|&p| plan.parameters[p].is_trained());
    let slots = 0..plan.rule.slots().len();
    let slots = slots.flat_map(|slot| trained().map(of(Tensor::Slot(slot))));
    let averaged = |p: &usize| plan.has_average(*p);
    let averages = (0..plan.parameters.len())
        .filter(averaged)
        .map(of(Tensor::Average));
    match contents {
        Contents::Weights | Contents::Averages => values.collect(),
        Contents::Training => values.chain(slots).chain(averages).collect(),
        Contents::Nothing => Vec::new(),
    }
}

/// File names of a run's weights: those of the lowest validation loss, and of its last epoch or stop.
pub const BEST: &str = "best.safetensors";
pub const LAST: &str = "last.safetensors";
/// The average of the weights over the steps, where one is kept, beside the last ones.
pub const AVERAGE: &str = "average.safetensors";

/// The member of the metadata that says who wrote a file: whatever has it has a seal too.
const WRITER: &str = "fer-gpu";

/// Writes the tensors of `contents` and a seal over all, replacing `path`.
pub fn save(
    executor: &Executor,
    path: &Path,
    contents: Contents,
    metadata: HashMap<String, String>,
) -> Result<(), Error> {
    let parts = parts(&executor.plan, contents);
    let named = |&part: &Part| {
        let shape = executor.plan.parameters[part.parameter].shape.clone();
        (name(&executor.plan, part), shape)
    };
    let tensors: Vec<(String, Shape)> = parts.iter().map(named).collect();
    write(path, &tensors, metadata, |index, sink| {
        let Part { parameter, which } = parts[index];
        let averaged = contents == Contents::Averages && executor.plan.has_average(parameter);
        let which = if averaged { Tensor::Average } else { which };
        executor.read_parameter(parameter, which, |_, values| sink(values))
    })
}

/// Takes the next values of a tensor.
pub type Sink<'a> = dyn FnMut(&[f32]) -> Result<(), Error> + 'a;

/// Writes named tensors and a seal over all, replacing `path`: `source` hands each tensor's values over, in
/// Keras's order and in as many pieces as it likes.
///
/// # Panics
/// If `source` hands over more or fewer values than the shape has.
pub fn write<E: From<Error> + From<files::Error>>(
    path: &Path,
    tensors: &[(String, Shape)],
    mut metadata: HashMap<String, String>,
    mut source: impl FnMut(usize, &mut Sink) -> Result<(), E>,
) -> Result<(), E> {
    metadata.insert(WRITER.into(), env!("CARGO_PKG_VERSION").into());
    metadata.insert(files::KEY.into(), files::PLACE.into());
    let head = head(tensors, metadata);
    let place = files::place(&head).expect("a place for the seal");
    let mut hash = files::digest(&head, &place);
    let failed = |source| files::Error::write(path, source);
    let mut draft = Draft::begin(path)?;
    draft.fill(|file| {
        file.write_all(&head).map_err(failed)?;
        for (index, (name, shape)) in tensors.iter().enumerate() {
            let mut left = shape.len();
            source(index, &mut |values| {
                left = left.checked_sub(values.len()).expect(name);
                let bytes = bytemuck::cast_slice(values);
                hash.update(bytes);
                file.write_all(bytes)
                    .map_err(|source| Error::from(failed(source)))
            })?;
            assert_eq!(left, 0, "{name}");
        }
        Ok::<(), E>(())
    })?;
    let digits = files::hexadecimal(hash.digest128());
    draft.patch(place.start as u64, digits.as_bytes())?;
    Ok(draft.publish()?)
}

/// Everything before the tensors: the header's length, and the header.
fn head(tensors: &[(String, Shape)], metadata: HashMap<String, String>) -> Vec<u8> {
    let mut offset = 0;
    let infos = tensors.iter().map(|(name, shape)| {
        let start = offset;
        offset += 4 * shape.len();
        let info = TensorInfo {
            dtype: Dtype::F32,
            shape: shape.0.iter().map(|&d| d as usize).collect(),
            data_offsets: (start, offset),
        };
        (name.clone(), info)
    });
    let header =
        Metadata::new(Some(metadata), infos.collect()).expect("offsets that follow one another");
    // Through a value, whose keys are sorted: the same run writes the same bytes.
    let header = serde_json::to_value(&header)
        .expect("a header of strings and numbers")
        .to_string();
    // In bytes, of which a letter may have several.
    let padded = header.len().next_multiple_of(8);
    let mut head = (padded as u64).to_le_bytes().to_vec();
    head.extend(header.bytes());
    head.resize(8 + padded, b' ');
    head
}

/// What a file of weights has for a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fits {
    /// Parameters of the plan that it has.
    pub taken: Vec<usize>,
    /// Those that it does not have, and those that have another shape there.
    pub missing: Vec<String>,
    pub other: Vec<String>,
    /// Tensors of the file that the network does not have.
    pub unused: Vec<String>,
}

impl Fits {
    /// Is each tensor the other's?
    pub fn are_all(&self) -> bool {
        self.missing.is_empty() && self.other.is_empty() && self.unused.is_empty()
    }
}

/// An opened file whose header was checked against its length, and all of it against its seal.
pub struct TensorFile {
    path: PathBuf,
    file: BufReader<File>,
    header: Metadata,
    /// Where the tensors begin.
    start: u64,
    /// Was it written without a hash, by others or by a version before there were any?
    pub seal: Sealed,
    /// xxh3-128 of its content, but for the hash that it carries.
    pub hash: String,
}

impl TensorFile {
    /// Reads and checks the header, and holds the file against its seal, if it has one.
    /// `purpose` is what errors call it.
    pub fn open(path: &Path, purpose: &'static str) -> Result<TensorFile, Error> {
        let read = |source| files::Error::read(path, source);
        let wrong = |why: String| Error::Safetensors {
            path: path.into(),
            why,
        };
        let file = File::open(path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        let mut file = BufReader::new(file);
        let mut size = [0; 8];
        file.read_exact(&mut size)
            .map_err(|_| wrong("it is shorter than eight bytes".into()))?;
        let size = u64::from_le_bytes(size);
        if size > LONGEST_HEADER || size + 8 > length {
            return Err(wrong(format!(
                "its header claims {size} bytes of a file of {length}"
            )));
        }
        let start = 8 + size;
        let mut head = size.to_le_bytes().to_vec();
        head.resize(start as usize, 0);
        file.read_exact(&mut head[8..]).map_err(read)?;
        let (hash, seal) = sealed(&head, &mut file).map_err(read)?;
        let header: Metadata =
            serde_json::from_slice(&head[8..]).map_err(|e| wrong(format!("bad header: {e}")))?;
        let mut end = 0;
        for info in header.tensors().values() {
            let (from, to) = info.data_offsets;
            let elements = info.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
            let bytes = elements.and_then(|n| n.checked_mul(info.dtype.bitsize() / 8));
            if to < from || bytes != Some(to - from) {
                return Err(wrong("a tensor's shape and bytes differ".into()));
            }
            end = end.max(to);
        }
        if start + end as u64 != length {
            return Err(wrong(format!(
                "its tensors need {} bytes, the file has {length}",
                start + end as u64
            )));
        }
        // What is cut short says so by its length.
        let damaged = |cause| Error::Damaged {
            path: path.into(),
            purpose,
            cause,
        };
        let seal = seal.map_err(damaged)?;
        let file = TensorFile {
            path: path.into(),
            file,
            header,
            start,
            seal,
            hash,
        };
        match (seal, file.metadata(WRITER)) {
            (Sealed::Never, Some(_)) => Err(damaged(Unsealed)),
            _ => Ok(file),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A value of the header's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header
            .metadata()
            .as_ref()?
            .get(key)
            .map(String::as_str)
    }

    /// All of the header's metadata but who wrote the file and its hash.
    pub fn metadata_of_use(&self) -> HashMap<String, String> {
        let mut all = self.header.metadata().clone().unwrap_or_default();
        all.remove(WRITER);
        all.remove(files::KEY);
        all
    }

    /// Does the file hold exactly the parameters of the plan of `contents`, f32, of its shapes?
    pub fn check(&self, plan: &Plan, contents: Contents) -> Result<(), Error> {
        let named = |part: Part| {
            let shape = plan.parameters[part.parameter].shape.clone();
            (name(plan, part), shape)
        };
        let expected: Vec<_> = parts(plan, contents).into_iter().map(named).collect();
        self.check_tensors(&plan.model, &expected)
    }

    /// Does the file hold exactly these tensors of `model`, f32?
    pub fn check_tensors(&self, model: &str, expected: &[(String, Shape)]) -> Result<(), Error> {
        let wrong = |tensor: &str, found: String, expected: String| Error::Tensor {
            path: self.path.clone(),
            tensor: tensor.into(),
            found,
            expected,
            model: model.into(),
        };
        for (name, shape) in expected {
            let expected = format!("F32 {shape}");
            let Some(info) = self.header.info(name) else {
                return Err(wrong(name, "is missing".into(), expected));
            };
            let dims = shape.0.iter().map(|&d| d as usize);
            if info.dtype != Dtype::F32 || !info.shape.iter().copied().eq(dims) {
                let found = format!("is {:?} {:?}", info.dtype, info.shape);
                return Err(wrong(name, found, expected));
            }
        }
        let known = |name: &String| expected.iter().any(|(known, _)| known == name);
        match self.header.offset_keys().iter().find(|name| !known(name)) {
            Some(extra) => Err(wrong(extra, "is there".into(), "no such tensor".into())),
            None => Ok(()),
        }
    }

    /// What of the plan's parameters the file has, by name and shape.
    pub fn fits(&self, plan: &Plan) -> Fits {
        let mut fits = Fits::default();
        for (index, parameter) in plan.parameters.iter().enumerate() {
            let name = &parameter.name;
            let Some(info) = self.header.info(name) else {
                fits.missing.push(name.clone());
                continue;
            };
            let dims = parameter.shape.0.iter().map(|&d| d as usize);
            match info.dtype == Dtype::F32 && info.shape.iter().copied().eq(dims) {
                true => fits.taken.push(index),
                false => fits.other.push(format!(
                    "{name} (it has {:?} {:?}, the network {})",
                    info.dtype, info.shape, parameter.shape
                )),
            }
        }
        let known = |name: &String| plan.parameters.iter().any(|p| p.name == *name);
        let names = self.header.offset_keys().into_iter();
        fits.unused = names.filter(|name| !known(name)).collect();
        fits
    }

    /// Loads those of the plan's parameters that fit.
    pub fn load_fitting(&mut self, executor: &Executor, fits: &Fits) -> Result<(), Error> {
        for &index in &fits.taken {
            let name = executor.plan.parameters[index].name.clone();
            executor.write_parameter(index, Tensor::Values, |range, values: &mut [f32]| {
                self.read(&name, range.start, values)
            })?;
        }
        Ok(())
    }

    /// Loads the parameters of the plan; call [`TensorFile::check`] first.
    pub fn load(&mut self, executor: &Executor, contents: Contents) -> Result<(), Error> {
        for part in parts(&executor.plan, contents) {
            let name = name(&executor.plan, part);
            executor.write_parameter(part.parameter, part.which, |range, values: &mut [f32]| {
                self.read(&name, range.start, values)
            })?;
        }
        Ok(())
    }

    /// Reads values of a tensor, in Keras's order, from its element `first` on.
    ///
    /// # Panics
    /// If there is no such tensor, or it is shorter: call [`TensorFile::check_tensors`] first.
    pub fn read(&mut self, name: &str, first: usize, values: &mut [f32]) -> Result<(), Error> {
        let (from, to) = self.header.info(name).expect("checked").data_offsets;
        assert!(4 * (first + values.len()) <= to - from, "{name}");
        let at = self.start + (from + 4 * first) as u64;
        self.file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.read_exact(bytemuck::cast_slice_mut(values)))
            .map_err(|source| files::Error::read(&self.path, source).into())
    }
}

/// The hash of a file of which `head` was read, and what its seal says of it.
fn sealed(head: &[u8], rest: &mut impl Read) -> io::Result<(String, Result<Sealed, Unsealed>)> {
    let place = files::place(head);
    let mut hash = match &place {
        Some(place) => files::digest(head, place),
        None => Xxh3::new(),
    };
    if place.is_none() {
        hash.update(head);
    }
    let mut chunk = vec![0; 1 << 20];
    loop {
        match rest.read(&mut chunk)? {
            0 => break,
            count => hash.update(&chunk[..count]),
        }
    }
    let hash = files::hexadecimal(hash.digest128());
    let seal = match place {
        Some(place) if head[place.clone()] == *hash.as_bytes() => Ok(Sealed::Unchanged),
        Some(_) => Err(Unsealed),
        None => Sealed::of(head),
    };
    Ok((hash, seal))
}
