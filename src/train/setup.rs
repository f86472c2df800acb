//! Opens a run: everything that can be wrong is found before anything is written.

use super::pace::Pace;
use super::state::{
    CONFIG, Config, HISTORY, Origin, REPLACED, RESUME, Saved, State, write_history,
};
use super::steps::{StepLog, Written};
use super::tensors::{TRAINING, TensorFile, WEIGHTS};
use super::{Error, Event, Session};
use crate::data::{Dataset, SAMPLE_FACES};
use crate::feed;
use crate::files::{self, Lock, Sealed};
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
        out: Out,
        init_from: Option<PathBuf>,
    },
    Resume {
        /// The run's folder, or the resume point in it.
        folder: PathBuf,
        /// What of the configuration the command line repeats or changes.
        given: Given,
        /// Take a resume point of before there were hashes.
        accept_unhashed: bool,
    },
}

/// Where a new run lies.
#[derive(Clone, Debug)]
pub enum Out {
    /// There, if that holds no run.
    Given(PathBuf),
    /// There, or where something has that name, there with a number behind it.
    Fresh(PathBuf),
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
    /// Keeps the folder from other processes.
    pub lock: Lock,
    pub steps: Option<u64>,
    pub checkpoint_every: Duration,
    pub check: bool,
}

/// Trains until the last epoch or until `stop` is set.
///
/// # Errors
/// See [`Error`]; nothing is written before options, data, device and plan are found good, and
/// whatever fails later leaves the last resume point as it was and says how to go on with it.
pub fn run(
    settings: Settings,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event),
) -> Result<super::Summary, Error> {
    let mut begun = None;
    open_and_train(settings, stop, observe, &mut begun).map_err(|error| match begun {
        Some(begun) => how_to_go_on(error, &begun),
        None => error,
    })
}

/// A run that has a resume point.
struct Begun {
    folder: PathBuf,
    learning_rate: f64,
    accept_unhashed: bool,
}

/// Adds to an error what the run's folder holds and what to do.
fn how_to_go_on(error: Error, begun: &Begun) -> Error {
    let (folder, rate) = (begun.folder.display(), begun.learning_rate);
    let diverged = matches!(error, Error::NonFinite { .. });
    let goes_on = matches!(
        error,
        Error::Gpu(
            gpu::Error::Lost { .. }
                | gpu::Error::OutOfMemory { .. }
                | gpu::Error::Rejected { .. }
                | gpu::Error::Limit { .. },
        ) | Error::File(files::Error::Write { .. } | files::Error::Replaced(_))
    );
    if !(diverged || goes_on) {
        return error;
    }
    let remedy = match Saved::open(&begun.folder, begun.accept_unhashed) {
        Err(_) => "its resume point is no longer there".into(),
        Ok((saved, _)) => {
            let place = match saved.state.step {
                0 => "no step was saved yet".to_string(),
                step => format!("step {step} is saved, with weights that gave a finite loss"),
            };
            let again = format!("fer-gpu train --resume {folder}");
            let stored = saved.config.learning_rate;
            match (diverged, stored < rate) {
                (false, _) if saved.state.step == 0 => {
                    format!("{place}, begin again with: {again}")
                }
                (false, _) => format!("{place}, go on with: {again}"),
                // The rate that this command raised.
                (true, true) => {
                    format!("{place}: --lr {rate} is too high, go on with: {again} --lr {stored}")
                }
                (true, false) => format!(
                    "{place}: try a lower rate than {rate} (and look at the data and the initial weights if it is not the rate): {again} --lr {}",
                    rate / 10.0
                ),
            }
        }
    };
    let cause = Box::new(error);
    Error::Ended { cause, remedy }
}

/// What a run needs before a device is opened.
struct Prepared {
    config: Config,
    network: &'static Network,
    dataset: Dataset,
    start: Prior,
}

/// What is there already.
enum Prior {
    Nothing {
        out: Out,
        /// The file of `--init-from`, and how to know it again.
        weights: Option<(TensorFile, Origin)>,
    },
    /// A run, kept from others, and the file that holds its tensors.
    Run {
        folder: PathBuf,
        lock: Lock,
        saved: Box<Saved>,
        file: TensorFile,
        accept_unhashed: bool,
    },
}

/// The folder that the user means by `--resume`: also by the file in it.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if path.ends_with(RESUME) && path.is_file() => parent.into(),
        _ => path.into(),
    }
}

fn prepare(start: Start) -> Result<Prepared, Error> {
    let (mut config, prior) = match start {
        Start::New {
            config,
            out,
            init_from,
        } => {
            let weights = init_from.map(open_weights).transpose()?;
            (config, Prior::Nothing { out, weights })
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
            let config = given.apply(&saved.config)?;
            let prior = Prior::Run {
                folder,
                lock,
                saved: Box::new(saved),
                file,
                accept_unhashed,
            };
            (config, prior)
        }
    };
    let network = check_options(&config)?;
    let dataset = load(&mut config, network)?;
    match &prior {
        Prior::Run { saved, folder, .. } => {
            same_data(saved, &dataset)?;
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
        }
    }
    Ok(Prepared {
        config,
        network,
        dataset,
        start: prior,
    })
}

fn open_and_train(
    settings: Settings,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event),
    begun: &mut Option<Begun>,
) -> Result<super::Summary, Error> {
    let prepared = prepare(settings.start.clone())?;
    if let Prior::Run { folder, saved, .. } = &prepared.start {
        tidy(folder, &saved.state)?;
        if saved.state.epoch >= prepared.config.epochs {
            observe(Event::Notice(format!(
                "nothing to do: this run has done its {} epochs; --epochs N trains on",
                prepared.config.epochs
            )));
            return Ok(super::Summary::finished(folder, &saved.state));
        }
        *begun = Some(Begun {
            folder: folder.clone(),
            learning_rate: prepared.config.learning_rate,
            accept_unhashed: matches!(
                prepared.start,
                Prior::Run {
                    accept_unhashed: true,
                    ..
                }
            ),
        });
    }
    let adapter = Adapter::select(&settings.device)?;
    let gpu = Gpu::open(&adapter, settings.limits)?;
    let (plan, notice) = make_plan(&prepared, &gpu, &settings)?;
    let Prepared {
        config,
        dataset,
        start,
        ..
    } = prepared;
    notice
        .into_iter()
        .chain(missing_classes(&dataset))
        .for_each(|text| observe(Event::Notice(text)));
    observe(Event::Planned {
        adapter: &gpu.info,
        device_bytes: plan.device_bytes(),
        dataset: &dataset,
    });
    let mut compiling = |done, total| observe(Event::Compiling { done, total });
    let executor = Executor::new(&gpu, plan, Checks::Off, &mut compiling)?;
    feed::upload(&executor, &dataset)?;
    let ready = match start {
        Prior::Run {
            folder,
            lock,
            saved,
            file,
            ..
        } => restore(&executor, folder, lock, *saved, file)?,
        Prior::Nothing { out, mut weights } => {
            if let Some((file, _)) = &weights {
                file.check(&executor, WEIGHTS)?;
            }
            let unhashed = weights
                .iter()
                .filter(|(file, _)| file.seal == Sealed::Never);
            unhashed.for_each(|_| observe(Event::Notice(UNHASHED.into())));
            let origin = weights.as_ref().map(|(_, origin)| origin.clone());
            let ready = begin(&executor, &config, &dataset, &out, origin)?;
            *begun = Some(Begun {
                folder: ready.folder.clone(),
                learning_rate: config.learning_rate,
                accept_unhashed: false,
            });
            match &mut weights {
                Some((file, _)) => file.load(&executor, WEIGHTS)?,
                None => executor.draw_parameters(config.seed)?,
            }
            ready
        }
    };
    observe(Event::Started {
        adapter: &gpu.info,
        folder: &ready.folder,
        model: &config.model,
        step: ready.state.step,
        epoch: ready.state.epoch + 1,
        epochs: config.epochs,
    });
    space_warning(&executor, &ready.folder)
        .into_iter()
        .for_each(|text| observe(Event::Notice(text)));
    let log = if settings.log_steps {
        let written = ready.steps.as_ref();
        Some(StepLog::open(&ready.folder, ready.state.step, written)?)
    } else {
        None
    };
    let run = Arc::new(Run {
        config,
        dataset,
        folder: ready.folder,
        lock: ready.lock,
        steps: settings.steps,
        checkpoint_every: settings.checkpoint_every,
        check: settings.check,
    });
    let session = Session {
        run,
        executor,
        saved_step: ready.state.step,
        state: ready.state,
        log,
        stop,
        observe,
        pace: Pace::new(settings.started),
        saved: Instant::now(),
        missed_save: false,
        steps_here: 0,
        in_flight: Default::default(),
    };
    session.train()
}

/// A run whose folder is its own, and whose weights are on the device.
struct Ready {
    folder: PathBuf,
    lock: Lock,
    state: State,
    /// What of steps.csv belongs to it.
    steps: Option<Written>,
}

/// Loads the tensors of a resume point.
fn restore(
    executor: &Executor,
    folder: PathBuf,
    lock: Lock,
    saved: Saved,
    mut file: TensorFile,
) -> Result<Ready, Error> {
    match &saved.origin {
        Origin::Saved => {
            file.check(executor, TRAINING)?;
            file.load(executor, TRAINING)?;
        }
        Origin::Drawn => executor.draw_parameters(saved.config.seed)?,
        Origin::File { path, hash } => {
            let wrong = |what: String| Error::InitialWeights {
                path: path.clone(),
                what,
            };
            let unreadable =
                |error| wrong(format!("cannot be read ({})", super::error::causes(&error)));
            let mut file = TensorFile::open(path, INITIAL).map_err(unreadable)?;
            if file.hash != *hash {
                return Err(wrong("has changed since".into()));
            }
            file.check(executor, WEIGHTS)?;
            file.load(executor, WEIGHTS)?;
        }
    }
    Ok(Ready {
        folder,
        lock,
        state: saved.state,
        steps: saved.steps,
    })
}

/// What errors call the file of `--init-from`.
const INITIAL: &str = "the weights to begin with";

/// Mends what a kill left: drafts, and a history that is older than the resume point.
fn tidy(folder: &Path, state: &State) -> Result<(), Error> {
    files::remove_drafts(folder, &REPLACED)?;
    write_history(folder, &state.history)
}

/// What is told of foreign weights.
const UNHASHED: &str =
    "the weights of --init-from have no hash: whether they are as they were written cannot be told";

/// The weights that a run is to begin with, and how to know them again.
fn open_weights(path: PathBuf) -> Result<(TensorFile, Origin), Error> {
    let file = TensorFile::open(&path, INITIAL)?;
    let origin = Origin::File {
        path: std::path::absolute(&path).map_err(|source| files::Error::read(&path, source))?,
        hash: file.hash.clone(),
    };
    Ok((file, origin))
}

/// Makes the folder of a new run with its first resume point, which holds no tensors but says how
/// to make them.
fn begin(
    executor: &Executor,
    config: &Config,
    dataset: &Dataset,
    out: &Out,
    origin: Option<Origin>,
) -> Result<Ready, Error> {
    let (folder, lock) = match out {
        Out::Fresh(path) => Lock::fresh(path)?,
        Out::Given(folder) => {
            std::fs::create_dir_all(folder)
                .map_err(|source| files::Error::write(folder, source))?;
            let lock = Lock::take(folder)?;
            // Another run may have come and gone since the first look.
            check_folder(folder)?;
            (folder.clone(), lock)
        }
    };
    let first = Saved {
        config: config.clone(),
        state: State::default(),
        data_hash: files::hexadecimal(dataset.hash),
        variants: executor.plan.variants(),
        schedule: Some(executor.plan.schedule),
        origin: origin.unwrap_or(Origin::Drawn),
        steps: None,
    };
    first.write(executor, &folder)?;
    config.write(&folder)?;
    Ok(Ready {
        folder,
        lock,
        state: State::default(),
        steps: None,
    })
}

/// Tells of classes without a training image, which are there because a later one has some.
fn missing_classes(dataset: &Dataset) -> Option<String> {
    let mut counts = vec![0usize; dataset.class_names.len()];
    for &label in &dataset.train.labels {
        counts[label as usize] += 1;
    }
    let empty = counts.iter().enumerate().filter(|(_, count)| **count == 0);
    let names: Vec<String> = empty
        .map(|(class, _)| format!("{class} ({})", dataset.class_names[class]))
        .collect();
    let few = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = if names.len() > 5 { ", ..." } else { "" };
    (!names.is_empty()).then(|| {
        format!(
            "{} of {} classes have no training image: {few}{more}; are the labels right?",
            names.len(),
            counts.len()
        )
    })
}

/// Warns where the disk has no room for what the run will save.
fn space_warning(executor: &Executor, folder: &Path) -> Option<String> {
    let needed = super::space::needed(&executor.plan, folder);
    let free = files::free_bytes(folder)?;
    let told = |bytes: u64| indicatif::BinaryBytes(bytes).to_string();
    (free < needed).then(|| {
        format!(
            "saving takes {} in {}, the disk has {}: make room before the first save",
            told(needed),
            folder.display(),
            told(free)
        )
    })
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
            data_absolute: match self.data {
                Some(_) => None,
                None => stored.data_absolute.clone(),
            },
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
fn load(config: &mut Config, network: &Network) -> Result<Dataset, Error> {
    let image = network.image.map(|d| d as usize);
    let dataset = match &config.data {
        Some(folder) => {
            let folder = where_data_are(folder, config.data_absolute.as_deref())?;
            let dataset = Dataset::load(&folder, image)?;
            config.data_absolute = std::path::absolute(&folder).ok();
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
    if !config.overfit_batch {
        return Ok(dataset);
    }
    let order = feed::order(rows, config.shuffle, config.seed, 0);
    Ok(dataset.overfit(&order[..config.batch as usize]))
}

/// The data folder as it was named, or where it was seen from another folder.
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
        start,
    } = prepared;
    let mut options = Options::new(gpu.profile.clone());
    if !settings.host_data {
        options.data = feed::placement(dataset, &gpu.profile.limits);
    }
    let build = || network.build(config.batch, dataset.class_names.len() as u32);
    let own = options.clone();
    let Prior::Run { saved, .. } = start else {
        let notice = Tuned::find(&gpu.info).apply(&mut options, network.name, config.batch);
        return Ok((plan::plan(build(), &options)?, notice));
    };
    options.pins = saved.variants.clone();
    options.schedule = saved.schedule.unwrap_or(options.schedule);
    let differs = |why: String| {
        format!(
            "{why}: the run goes on with other kernels, so its last bits will differ from an uninterrupted one"
        )
    };
    match plan::plan(build(), &options) {
        Err(plan::Error::NoVariant { op, variant, .. }) => {
            let notice = differs(format!("this adapter cannot run {op} as {variant}"));
            Ok((plan::plan(build(), &own)?, Some(notice)))
        }
        planned => {
            let plan = planned?;
            let same = plan.variants() == saved.variants;
            let notice = (!same).then(|| differs("the work is cut otherwise here".into()));
            Ok((plan, notice))
        }
    }
}
