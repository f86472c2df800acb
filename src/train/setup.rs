//! Opens a run: everything that can be wrong is found before anything is written.

use super::pace::Pace;
use super::state::{CONFIG, Config, HISTORY, RESUME, Saved, State, write_history};
use super::steps::StepLog;
use super::tensors::{TRAINING, TensorFile, WEIGHTS};
use super::{Error, Event, Session, files};
use crate::data::{Dataset, SAMPLE_FACES};
use crate::feed;
use crate::gpu::{self, Adapter, Checks, Executor, Gpu, LimitChoice, Selector};
use crate::network::{NETWORKS, Network};
use crate::plan::{self, Options, Plan};
use crate::tuned::Tuned;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What the user asked for, apart from what defines the run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub start: Start,
    pub device: Selector,
    pub limits: LimitChoice,
    /// Steps in this process.
    pub steps: Option<u64>,
    pub checkpoint_every: Duration,
    pub log_steps: bool,
    pub check: bool,
    /// Gather on the host even where the set would fit the device.
    pub host_data: bool,
    /// When the process began.
    pub started: Instant,
}

/// A new run, or one that goes on.
#[derive(Clone, Debug)]
pub enum Start {
    New {
        config: Config,
        folder: PathBuf,
        init_from: Option<PathBuf>,
    },
    Resume {
        folder: PathBuf,
        /// What of the configuration the command line repeats or changes.
        given: Given,
    },
}

/// Options that the user gave beside `--resume`: epochs and learning rate may change, the rest
/// must be what the run has.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub model: Option<String>,
    pub data: Option<PathBuf>,
    pub epochs: Option<u32>,
    pub batch: Option<u32>,
    pub learning_rate: Option<f64>,
    pub seed: Option<u64>,
}

/// A run's fixed part.
pub(super) struct Run {
    pub config: Config,
    pub dataset: Dataset,
    pub folder: PathBuf,
    pub steps: Option<u64>,
    pub checkpoint_every: Duration,
    pub check: bool,
}

/// Trains until the last epoch or until `stop` is set.
///
/// # Errors
/// See [`Error`]; nothing is written before options, data, device and plan are found good, and
/// a device that fails later leaves the last resume point as it was.
pub fn run(
    settings: Settings,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event),
) -> Result<super::Summary, Error> {
    let (Start::New { folder, .. } | Start::Resume { folder, .. }) = &settings.start;
    let folder = folder.clone();
    open_and_train(settings, stop, observe).map_err(|error| how_to_go_on(error, &folder))
}

/// Adds to an error of the device what the run's folder holds.
fn how_to_go_on(error: Error, folder: &Path) -> Error {
    let cause = match error {
        Error::Gpu(
            cause @ (gpu::Error::Lost { .. }
            | gpu::Error::OutOfMemory { .. }
            | gpu::Error::Rejected { .. }
            | gpu::Error::Limit { .. }),
        ) if folder.join(CONFIG).exists() => cause,
        other => return other,
    };
    let remedy = match Saved::open(folder) {
        Ok((saved, _)) => format!(
            "step {} is saved, go on with: fer-gpu train --resume {}",
            saved.state.step,
            folder.display()
        ),
        Err(_) => "no step was saved yet, begin again with another --out".into(),
    };
    Error::Broken { cause, remedy }
}

/// What a run needs before a device is opened.
struct Prepared {
    config: Config,
    folder: PathBuf,
    network: &'static Network,
    dataset: Dataset,
    /// Where a run goes on, with the file that holds its tensors.
    saved: Option<(Saved, TensorFile)>,
}

fn prepare(start: &Start) -> Result<Prepared, Error> {
    let (mut config, folder, saved) = match start {
        Start::New { config, folder, .. } => (config.clone(), folder.clone(), None),
        Start::Resume { folder, given } => {
            let (saved, file) = Saved::open(folder)?;
            let config = given.apply(&saved.config)?;
            (config, folder.clone(), Some((saved, file)))
        }
    };
    let network = check_options(&config)?;
    let dataset = load(&config, network)?;
    if let Some((saved, _)) = &saved {
        same_data(saved, &dataset)?;
    } else {
        check_folder(&folder)?;
        config.class_names = dataset.class_names.clone();
        config.pixel_range = dataset.range.to_string();
        config.image = dataset.image;
    }
    Ok(Prepared {
        config,
        folder,
        network,
        dataset,
        saved,
    })
}

fn open_and_train(
    settings: Settings,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event),
) -> Result<super::Summary, Error> {
    let prepared = prepare(&settings.start)?;
    let adapter = Adapter::select(&settings.device)?;
    let gpu = Gpu::open(&adapter, settings.limits)?;
    let (plan, notice) = make_plan(&prepared, &gpu, &settings)?;
    let Prepared {
        config,
        folder,
        dataset,
        saved,
        ..
    } = prepared;
    notice
        .into_iter()
        .for_each(|text| observe(Event::Notice(text)));
    observe(Event::Planned {
        adapter: &gpu.info,
        device_bytes: plan.device_bytes(),
        dataset: &dataset,
        folder: &folder,
    });
    let mut compiling = |done, total| observe(Event::Compiling { done, total });
    let executor = Executor::new(&gpu, plan, Checks::Off, &mut compiling)?;
    feed::upload(&executor, &dataset)?;
    let state = match saved {
        Some(saved) => restore(&executor, &folder, saved)?,
        None => {
            initialise(&executor, &config, &settings.start)?;
            std::fs::create_dir_all(&folder).map_err(|source| files::failed(&folder, source))?;
            State::default()
        }
    };
    config.write(&folder)?;
    let log = if settings.log_steps {
        Some(StepLog::open(&folder, state.step)?)
    } else {
        None
    };
    let run = Arc::new(Run {
        config,
        dataset,
        folder,
        steps: settings.steps,
        checkpoint_every: settings.checkpoint_every,
        check: settings.check,
    });
    let session = Session {
        run,
        executor,
        state,
        log,
        stop,
        observe,
        pace: Pace::new(settings.started),
        saved: Instant::now(),
        steps_here: 0,
        in_flight: Default::default(),
    };
    session.train()
}

/// Loads the tensors of a resume point; its state.
fn restore(
    executor: &Executor,
    folder: &Path,
    (saved, mut file): (Saved, TensorFile),
) -> Result<State, Error> {
    file.check(executor, TRAINING)?;
    file.load(executor, TRAINING)?;
    files::remove_leftovers(folder)?;
    // A kill may have come between the resume point and the table made from it.
    write_history(folder, &saved.state.history)?;
    Ok(saved.state)
}

impl Given {
    /// The configuration of a run that goes on.
    fn apply(&self, stored: &Config) -> Result<Config, Error> {
        let same = |what, stored: String, given: Option<String>| match given {
            Some(given) if given != stored => Err(Error::Differs {
                what,
                stored,
                given,
            }),
            _ => Ok(()),
        };
        same("model", stored.model.clone(), self.model.clone())?;
        same(
            "batch",
            stored.batch.to_string(),
            self.batch.map(|b| b.to_string()),
        )?;
        same(
            "seed",
            stored.seed.to_string(),
            self.seed.map(|s| s.to_string()),
        )?;
        Ok(Config {
            epochs: self.epochs.unwrap_or(stored.epochs),
            learning_rate: self.learning_rate.unwrap_or(stored.learning_rate),
            // Another place is fine, other contents are not: the hash is compared.
            data: self.data.clone().or_else(|| stored.data.clone()),
            ..stored.clone()
        })
    }
}

/// Refuses values that no run can have.
fn check_options(config: &Config) -> Result<&'static Network, Error> {
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
    Network::find(&config.model).ok_or_else(|| Error::UnknownModel {
        found: config.model.clone(),
        known: NETWORKS
            .iter()
            .map(|network| network.name)
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// The data set of a run, reduced to its first batch where that is to be overfitted.
fn load(config: &Config, network: &Network) -> Result<Dataset, Error> {
    let image = network.image.map(|d| d as usize);
    let dataset = match &config.data {
        Some(folder) => Dataset::load(folder, image)?,
        None => Dataset::sample_faces(config.seed, SAMPLE_FACES),
    };
    let rows = dataset.train.rows();
    if config.batch as usize > rows {
        return Err(Error::BatchTooLarge {
            batch: config.batch,
            rows,
        });
    }
    if !config.overfit_batch {
        return Ok(dataset);
    }
    let order = feed::order(rows, config.shuffle, config.seed, 0);
    Ok(dataset.overfit(&order[..config.batch as usize]))
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

/// A new run needs a folder of its own.
fn check_folder(folder: &Path) -> Result<(), Error> {
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

/// The plan of a run; one that goes on keeps its kernels, if they run here.
fn make_plan(
    prepared: &Prepared,
    gpu: &Gpu,
    settings: &Settings,
) -> Result<(Plan, Option<String>), Error> {
    let Prepared {
        config,
        network,
        dataset,
        saved,
        ..
    } = prepared;
    let mut options = Options::new(gpu.profile.clone());
    if !settings.host_data {
        options.data = feed::placement(dataset, &gpu.profile.limits);
    }
    let build = || network.build(config.batch, dataset.class_names.len() as u32);
    let own = options.clone();
    let Some((saved, _)) = saved else {
        let notice = Tuned::find(&gpu.info).apply(&mut options, network.name, config.batch);
        return Ok((plan::plan(build(), &options)?, notice));
    };
    options.pins = saved.variants.clone();
    options.schedule = saved.schedule.unwrap_or(options.schedule);
    match plan::plan(build(), &options) {
        Err(plan::Error::NoVariant { op, variant, .. }) => {
            let notice = format!(
                "this adapter cannot run {op} as {variant}: the run goes on with other kernels, so its last bits will differ from an uninterrupted one"
            );
            Ok((plan::plan(build(), &own)?, Some(notice)))
        }
        planned => Ok((planned?, None)),
    }
}

/// Loads the weights of `--init-from`, or draws them.
fn initialise(executor: &Executor, config: &Config, start: &Start) -> Result<(), Error> {
    let Start::New {
        init_from: Some(path),
        ..
    } = start
    else {
        return Ok(executor.draw_parameters(config.seed)?);
    };
    let mut file = TensorFile::open(path)?;
    file.check(executor, WEIGHTS)?;
    file.load(executor, WEIGHTS)
}
