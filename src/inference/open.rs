//! A run's folder or a file of weights -> a network on a device, ready for its programs.

use super::Error;
use crate::files::Sealed;
use crate::gpu::{Checks, Executor, Gpu};
use crate::network::{Model, Network};
use crate::plan::{self, Options, Wanted};
use crate::weights::{BEST, Contents, LAST, Record, TensorFile};
use std::path::{Path, PathBuf};

/// Which weights of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those of the lowest validation loss.
    Best,
    /// Those of its last epoch or stop.
    Last,
}

/// The file of weights that a path means: itself, or one of a run's folder.
///
/// # Errors
/// If there is none.
pub fn find(path: &Path, which: Which) -> Result<PathBuf, Error> {
    if !path.exists() {
        return Err(Error::Nothing(path.into()));
    }
    if !path.is_dir() {
        return Ok(path.into());
    }
    let (missing, remedy) = match which {
        Which::Best => (
            BEST,
            "a run has it once an epoch ended; --last takes the weights of its last stop",
        ),
        Which::Last => (LAST, "a run has it once an epoch ended or it was stopped"),
    };
    let file = path.join(missing);
    if file.exists() {
        return Ok(file);
    }
    Err(Error::NoWeights {
        folder: path.into(),
        missing,
        remedy,
    })
}

/// A file of weights that was found good, and the network that it is of.
pub struct Opened {
    pub record: Record,
    pub model: Model,
    file: TensorFile,
}

impl Opened {
    /// Opens a file: its header, its hash and its record are checked, its tensors stay where they are.
    pub fn open(path: &Path) -> Result<Opened, Error> {
        let file = TensorFile::open(path, "weights of a trained network")?;
        let record = Record::of(&file)?;
        let network = match &record.network {
            Some(text) => Network::from_text(&format!("{}: its network", path.display()), text)?,
            // Files of before there were texts.
            None => {
                let found = Network::find(&record.model).cloned();
                found.ok_or_else(|| Error::UnknownModel {
                    path: path.into(),
                    found: record.model.clone(),
                    known: Network::names(),
                })?
            }
        };
        let image = record.preprocessing.image.map(|extent| extent as u32);
        // Tensors that do not fit are refused by the plan of these; none is so large that its numbers overflow.
        let model = network.try_build_for(image, record.class_names.len() as u32)?;
        Ok(Opened {
            record,
            model,
            file,
        })
    }

    /// xxh3-128 of the file, but for the hash that it carries.
    pub fn hash(&self) -> &str {
        &self.file.hash
    }

    /// What the user should know of the file, if there is something.
    pub fn notice(&self) -> Option<String> {
        (self.file.seal == Sealed::Never).then(|| {
            format!(
                "{} carries no hash: whether it is as it was written cannot be told",
                self.file.path().display()
            )
        })
    }

    /// What the file says of itself, its network, and the file: for whoever needs no device.
    pub fn into_parts(self) -> (Record, Model, TensorFile) {
        (self.record, self.model, self.file)
    }

    /// Loads the weights for the programs that are wanted.
    ///
    /// # Errors
    /// If the tensors are not those of the network, or the device cannot run it.
    pub fn load<'g>(mut self, gpu: &'g Gpu, wanted: &[Wanted]) -> Result<Executor<'g>, Error> {
        let mut options = Options::new(gpu.profile.clone());
        options.pins = self.record.variants.clone();
        if let Some(schedule) = self.record.schedule {
            options.schedule = schedule;
        }
        let standardise = self.record.preprocessing.standardise.as_ref();
        options.standard = standardise.map(Into::into);
        let plan = match plan::plan(&self.model, wanted, &options) {
            // The run's kernels are those of another adapter.
            Err(plan::Error::NoVariant { .. }) => {
                options.pins = plan::Pins::default();
                plan::plan(&self.model, wanted, &options)?
            }
            plan => plan?,
        };
        self.file.check(&plan, Contents::Weights)?;
        let executor = Executor::new(gpu, plan, Checks::Off, &mut |_, _| ())?;
        self.file.load(&executor, Contents::Weights)?;
        Ok(executor)
    }
}
