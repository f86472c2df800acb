//! Finds whatever can be wrong with a run before a device is opened or a byte written: options, files,
//! data, and whether they belong together.

use super::settings::{Out, Start};
use super::state::{CONFIG, Config, HISTORY, Origin, RESUME, Saved};
use super::{Error, Event};
use crate::data::{Dataset, SAMPLE_FACES};
use crate::feed;
use crate::files::{self, Lock};
use crate::ingest;
use crate::network::{Model, Network};
use crate::weights::TensorFile;
use std::path::{Path, PathBuf};

/// What a run needs before a device is opened.
pub(super) struct Prepared {
    pub config: Config,
    pub network: Network,
    /// The network, for the data set's classes.
    pub model: Model,
    pub dataset: Dataset,
    pub start: Prior,
}

/// What is there already.
pub(super) enum Prior {
    Nothing {
        out: Out,
        /// The file of `--init-from`, and how to know it again.
        weights: Option<(TensorFile, Origin)>,
        /// Must its tensors be the network's, each of them?
        strict: bool,
    },
    /// A run, kept from others, and the file that holds its tensors.
    Run {
        folder: PathBuf,
        lock: Lock,
        saved: Box<Saved>,
        file: TensorFile,
    },
}

/// The folder that the user means by `--resume`: also by the file in it.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if path.ends_with(RESUME) && path.is_file() => parent.into(),
        _ => path.into(),
    }
}

pub(super) fn prepare(start: Start, observe: &mut dyn FnMut(Event)) -> Result<Prepared, Error> {
    let (mut config, prior) = match start {
        Start::New {
            config,
            out,
            init_from,
            strict,
        } => {
            let weights = init_from.map(open_weights).transpose()?;
            let prior = Prior::Nothing {
                out,
                weights,
                strict,
            };
            (*config, prior)
        }
        Start::Resume {
            folder,
            given,
            accept_unhashed,
        } => {
            let folder = folder_of(&folder);
            Saved::is_there(&folder)?;
            let lock = Lock::take(&folder)?;
            let (saved, file) = Saved::open(&folder, accept_unhashed)?;
            saved.config.is_unedited(&folder)?;
            let config = given.apply(&saved)?;
            let prior = Prior::Run {
                folder,
                lock,
                saved: Box::new(saved),
                file,
            };
            (config, prior)
        }
    };
    check_options(&config)?;
    let network = network(&config, &prior)?;
    let dataset = load(&mut config, &network, observe)?;
    let model = network.try_build_for(network.image, dataset.class_names.len() as u32)?;
    match &prior {
        Prior::Run { saved, folder, .. } => {
            same_data(saved, &dataset)?;
            same_classes(&config, &dataset)?;
            let rows = dataset.train.rows();
            let fits = saved.state.fits(rows, config.batch);
            fits.map_err(|why| Error::Resume {
                path: folder.join(RESUME),
                why,
            })?;
        }
        Prior::Nothing { out, .. } => {
            if let Out::Given(folder) = out {
                check_folder(folder)?;
            }
            config.class_names = dataset.class_names.clone();
            config.pixel_range = dataset.range.to_string();
            config.image = dataset.image;
            let standardise = config.regime.standardise.as_ref();
            config.standardised = standardise.map(|s| s.of(&dataset)).transpose()?;
        }
    }
    Ok(Prepared {
        config,
        network,
        model,
        dataset,
        start: prior,
    })
}

/// What errors call the file of `--init-from`.
pub(super) const INITIAL: &str = "the weights to begin with";

/// The weights that a run is to begin with, and how to know them again.
fn open_weights(path: PathBuf) -> Result<(TensorFile, Origin), Error> {
    let file = TensorFile::open(&path, INITIAL)?;
    let origin = Origin::File {
        path: std::path::absolute(&path).map_err(|source| files::Error::read(&path, source))?,
        hash: file.hash.clone(),
    };
    Ok((file, origin))
}

/// Refuses values that no run can have.
pub(super) fn check_options(config: &Config) -> Result<(), Error> {
    let refuse = |option, found: String, expected| {
        Err(Error::Option {
            option,
            found,
            expected,
        })
    };
    if !(config.learning_rate.is_finite() && config.learning_rate > 0.0) {
        return refuse(
            "lr",
            config.learning_rate.to_string(),
            "a positive number is needed",
        );
    }
    if config.batch == 0 {
        return refuse("batch", "0".into(), "at least 1 is needed");
    }
    if config.epochs == 0 {
        return refuse("epochs", "0".into(), "at least 1 is needed");
    }
    config.rule()?;
    config
        .regime
        .check(config.batch)
        .map_err(|why| Error::Regime { why })
}

/// The network of a run: for one that goes on, as its text was when it began.
fn network(config: &Config, prior: &Prior) -> Result<Network, Error> {
    if let Prior::Run { saved, folder, .. } = prior
        && let Some(text) = &saved.network
    {
        let origin = format!("{}: its network", folder.join(RESUME).display());
        return Ok(Network::from_text(&origin, text)?);
    }
    Ok(config.network()?)
}

/// The data set of a run, reduced to its first batch where that is to be overfitted.
fn load(
    config: &mut Config,
    network: &Network,
    observe: &mut dyn FnMut(Event),
) -> Result<Dataset, Error> {
    let image = network.image.map(|d| d as usize);
    let dataset = match &config.data {
        Some(data) => {
            let data = where_data_are(data, config.data_absolute.as_deref())?;
            let ready = ingest::resolve(&data, image, &mut |event| {
                if let ingest::Event::Progress { done, total } = event {
                    observe(Event::Importing { done, total });
                }
            })?;
            ready
                .notice
                .into_iter()
                .for_each(|text| observe(Event::Notice(text)));
            let mut dataset = Dataset::load(&ready.folder, image)?;
            dataset.name = data.display().to_string();
            config.data_absolute = std::path::absolute(&data).ok();
            dataset
        }
        None => Dataset::sample_faces(config.seed, SAMPLE_FACES),
    };
    let rows = dataset.train.rows();
    if config.batch as usize > rows {
        return Err(Error::BatchTooLarge {
            batch: config.batch,
            rows,
        });
    }
    Ok(reduced(config, dataset))
}

/// The set that a run sees: all of it, or its first batch where that is to be overfitted.
pub(super) fn reduced(config: &Config, dataset: Dataset) -> Dataset {
    if !config.overfit_batch {
        return dataset;
    }
    let rows = dataset.train.rows();
    let order = feed::order(rows, config.shuffle, config.seed, 0);
    dataset.overfit(&order[..rows.min(config.batch as usize)])
}

/// The data as they were named, or where it was seen from another folder.
fn where_data_are(stored: &Path, absolute: Option<&Path>) -> Result<PathBuf, Error> {
    match absolute {
        Some(absolute) if !stored.exists() && absolute != stored => {
            if absolute.exists() {
                return Ok(absolute.into());
            }
            Err(Error::NoData {
                stored: stored.into(),
                absolute: absolute.into(),
            })
        }
        _ => Ok(stored.into()),
    }
}

fn same_data(saved: &Saved, dataset: &Dataset) -> Result<(), Error> {
    let given = format!("{:032x}", dataset.hash);
    if saved.data_hash == given {
        return Ok(());
    }
    let of = |hash: &str| format!("of hash {}...", &hash[..8.min(hash.len())]);
    Err(Error::Differs {
        what: "data",
        stored: of(&saved.data_hash),
        given: of(&given),
    })
}

/// A run's class numbers keep their meaning.
fn same_classes(config: &Config, dataset: &Dataset) -> Result<(), Error> {
    if config.class_names == dataset.class_names {
        return Ok(());
    }
    Err(Error::Differs {
        what: "the classes",
        stored: config.class_names.join(", "),
        given: dataset.class_names.join(", "),
    })
}

/// A new run needs a folder of its own.
pub(super) fn check_folder(folder: &Path) -> Result<(), Error> {
    if folder.exists() && !folder.is_dir() {
        return Err(Error::NotAFolder(folder.into()));
    }
    if [CONFIG, HISTORY, RESUME]
        .iter()
        .any(|name| folder.join(name).exists())
    {
        return Err(Error::HoldsRun(folder.into()));
    }
    Ok(())
}
