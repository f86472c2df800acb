//! Opens a run: what `prepare` found good gets a device, a plan, a folder and its weights.

use super::first_batch;
use super::history::{write_curves, write_history};
use super::pace::Pace;
use super::prepare::{INITIAL, Prepared, Prior, check_folder, prepare};
use super::remedy::{Begun, how_to_go_on};
use super::settings::{Out, Settings};
use super::state::{Config, Origin, REPLACED, Saved, State};
use super::steps::{StepLog, Written};
use super::{Error, Event, Session};
use crate::augment::Augment;
use crate::data::Dataset;
use crate::feed;
use crate::files::{self, Lock, Sealed};
use crate::gpu::{Adapter, Checks, Executor, Gpu};
use crate::network::Network;
use crate::pictures::Standardise;
use crate::plan::{self, Loss, Options, Plan, Source, Wanted};
use crate::tuned::Tuned;
use crate::weights::{self, Contents, TensorFile};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// A run's fixed part.
pub(super) struct Run {
    pub config: Config,
    pub network: Network,
    pub dataset: Dataset,
    pub folder: PathBuf,
    /// Keeps the folder from other processes.
    pub lock: Lock,
    /// What each class counts, where they differ.
    pub class_weights: Option<Vec<f32>>,
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

fn open_and_train(
    settings: Settings,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event),
    begun: &mut Option<Begun>,
) -> Result<super::Summary, Error> {
    let prepared = prepare(settings.start.clone(), observe)?;
    let epochs = prepared.config.epochs;
    other_classes(&prepared)
        .into_iter()
        .chain(other_pixels(&prepared))
        .for_each(|text| observe(Event::Notice(text)));
    if let Prior::Run { folder, saved, .. } = &prepared.start {
        tidy(folder, saved)?;
        if let Some(why) = is_done(&saved.state, epochs) {
            observe(Event::Notice(format!("nothing to do: {why}")));
            return Ok(super::Summary::finished(folder, &saved.state));
        }
        *begun = Some(Begun {
            folder: folder.clone(),
            learning_rate: prepared.config.learning_rate,
            unhashed: settings.start.accepts_unhashed(),
        });
    }
    let adapter = Adapter::select(&settings.device)?;
    let gpu = Gpu::open(&adapter, settings.limits)?;
    let (plan, notice) = make_plan(&prepared, &gpu, &settings)?;
    let Prepared {
        config,
        network,
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
        augment: config.regime.augment.as_ref(),
    });
    let draws = settings.pictures && matches!(start, Prior::Nothing { .. });
    let mut compiling = |done, total| observe(Event::Compiling { done, total });
    let executor = Executor::new(&gpu, plan, Checks::Off, &mut compiling)?;
    feed::upload(&executor, &dataset)?;
    let ready = match start {
        Prior::Run {
            folder,
            lock,
            saved,
            file,
        } => restore(&executor, folder, lock, *saved, file)?,
        Prior::Nothing {
            out,
            weights,
            strict,
        } => {
            let first = first(&config, &network, &dataset, &executor.plan);
            begin(&executor, first, &out, weights, strict, observe, begun)?
        }
    };
    observe(Event::Started {
        adapter: &gpu.info,
        folder: &ready.folder,
        model: &config.model,
        step: ready.state.step,
        epoch: ready.state.epoch + 1,
        epochs,
    });
    draws
        .then(|| first_batch::write(&ready.folder, &config, &dataset))
        .flatten()
        .into_iter()
        .chain(space_warning(&executor, &ready.folder))
        .for_each(|text| observe(Event::Notice(text)));
    let class_weights = loss(&config, &dataset)?.class_weights;
    let run = Run {
        config,
        network,
        dataset,
        folder: ready.folder,
        lock: ready.lock,
        class_weights,
        steps: settings.steps,
        checkpoint_every: settings.checkpoint_every,
        check: settings.check,
    };
    session(
        run,
        ready.state,
        ready.steps,
        executor,
        &settings,
        stop,
        observe,
    )?
    .train()
}

/// Why there is nothing to do for a run, if there is not.
fn is_done(state: &State, epochs: u32) -> Option<String> {
    if state.stopped_early {
        return Some("early stopping has ended this run".into());
    }
    (state.epoch >= epochs)
        .then(|| format!("this run has done its {epochs} epochs; --epochs N trains on"))
}

/// The first resume point of a run whose weights are drawn.
fn first(config: &Config, network: &Network, dataset: &Dataset, plan: &Plan) -> Saved {
    Saved {
        config: config.clone(),
        state: State::default(),
        network: Some(network.text.clone()),
        data_hash: files::hexadecimal(dataset.hash),
        variants: plan.variants(),
        schedule: Some(plan.schedule),
        origin: Origin::Drawn,
        steps: None,
    }
}

/// Puts a run that is ready together with what this process is to do of it.
fn session<'a, 'g>(
    run: Run,
    state: State,
    written: Option<Written>,
    executor: Executor<'g>,
    settings: &Settings,
    stop: &'a AtomicBool,
    observe: &'a mut dyn FnMut(Event),
) -> Result<Session<'a, 'g>, Error> {
    let log = if settings.log_steps {
        Some(StepLog::open(&run.folder, state.step, written.as_ref())?)
    } else {
        None
    };
    Ok(Session {
        run: Arc::new(run),
        executor,
        saved_step: state.step,
        state,
        log,
        stop,
        observe,
        pace: Pace::new(settings.started),
        saved: Instant::now(),
        loss_computed: None,
        missed_save: false,
        missed_curves: false,
        steps_here: 0,
        in_flight: Default::default(),
    })
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
            file.check(&executor.plan, Contents::Training)?;
            file.load(executor, Contents::Training)?;
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
            take(executor, &mut file, saved.config.seed)?;
        }
    }
    Ok(Ready {
        folder,
        lock,
        state: saved.state,
        steps: saved.steps,
    })
}

/// Takes what a file has of the parameters; where it lacks some, all are drawn before.
fn take(executor: &Executor, file: &mut TensorFile, seed: u64) -> Result<(), Error> {
    let fits = file.fits(&executor.plan);
    if !(fits.missing.is_empty() && fits.other.is_empty()) {
        executor.draw_parameters(seed)?;
    }
    file.load_fitting(executor, &fits)?;
    executor.begin_averages();
    Ok(())
}

/// What of a file of weights is not taken, and what begins anew.
fn told(fits: &weights::Fits) -> Option<String> {
    const SHOWN: usize = 6;
    let list = |names: &[String]| {
        let shown = names
            .iter()
            .take(SHOWN)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        match names.len().saturating_sub(SHOWN) {
            0 => shown,
            more => format!("{shown} and {more} more"),
        }
    };
    let parts = [
        ("have another shape there and begin anew", &fits.other),
        ("are not there and begin anew", &fits.missing),
        ("are of no use here", &fits.unused),
    ];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    let told: Vec<String> = parts
        .map(|(what, names)| format!("{} {what}", list(names)))
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "of the weights to begin with {} tensors are taken; {}",
            fits.taken.len(),
            told.join("; ")
        )
    })
}

/// What is told of foreign weights.
const UNHASHED: &str =
    "the weights of --init-from have no hash: whether they are as they were written cannot be told";

/// Makes the folder of a new run with its first resume point, which holds no tensors but says how
/// to make them, and makes them.
fn begin(
    executor: &Executor,
    first: Saved,
    out: &Out,
    mut weights: Option<(TensorFile, Origin)>,
    strict: bool,
    observe: &mut dyn FnMut(Event),
    begun: &mut Option<Begun>,
) -> Result<Ready, Error> {
    if let Some((file, _)) = &weights {
        if strict {
            file.check(&executor.plan, Contents::Weights)?;
        }
        let fits = file.fits(&executor.plan);
        if fits.taken.is_empty() {
            return Err(Error::NothingFits(file.path().into()));
        }
        told(&fits)
            .into_iter()
            .for_each(|text| observe(Event::Notice(text)));
        if file.seal == Sealed::Never {
            observe(Event::Notice(UNHASHED.into()));
        }
    }
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
    let origin = weights.as_ref().map(|(_, origin)| origin.clone());
    let first = Saved {
        origin: origin.unwrap_or(first.origin),
        ..first
    };
    first.write(executor, &folder)?;
    let config = &first.config;
    *begun = Some(Begun {
        folder: folder.clone(),
        learning_rate: config.learning_rate,
        unhashed: false,
    });
    config.write(&folder, first.network.as_deref())?;
    match &mut weights {
        Some((file, _)) => take(executor, file, config.seed)?,
        None => executor.draw_parameters(config.seed)?,
    }
    Ok(Ready {
        folder,
        lock,
        state: State::default(),
        steps: None,
    })
}

/// Mends what a kill left: drafts, and a history that is older than the resume point.
fn tidy(folder: &Path, Saved { config, state, .. }: &Saved) -> Result<(), Error> {
    files::remove_drafts(folder, &REPLACED)?;
    write_history(folder, config, &state.history)?;
    if !state.history.is_empty() {
        // Without them the run goes on as well; the next epoch tries again and tells.
        let best = state.best.map(|(_, epoch)| epoch);
        drop(write_curves(folder, config, &state.history, best));
    }
    Ok(())
}

/// What the loss wants, by the regime and by what the data's labels are.
fn loss(config: &Config, dataset: &Dataset) -> Result<Loss, plan::Error> {
    let regime = &config.regime;
    let classes = dataset.class_names.len();
    let weights = regime.class_weights.as_ref();
    let weights = weights.map(|weights| weights.of(&dataset.train.labels, classes));
    Ok(Loss {
        label_smoothing: regime.label_smoothing as f32,
        class_weights: weights.transpose().map_err(plan::Error::Loss)?,
        soft: dataset.is_soft(),
        mixed: regime.augment.as_ref().is_some_and(Augment::mixes),
    })
}

/// The plan of a run; one that goes on keeps its kernels, if they run here.
fn make_plan(
    prepared: &Prepared,
    gpu: &Gpu,
    settings: &Settings,
) -> Result<(Plan, Option<String>), Error> {
    let Prepared {
        config,
        model,
        dataset,
        start,
        ..
    } = prepared;
    let sources = match settings.host_data {
        true => [Source::Host; 2],
        false => feed::placement(dataset, &gpu.profile.limits),
    };
    let wanted = Wanted::training(config.shard_batch(), sources);
    let mut model = model.clone();
    for pattern in &config.regime.freeze {
        let frozen = model.freeze(pattern);
        if !frozen.is_ok_and(|count| count > 0) {
            let pattern = pattern.clone();
            return Err(Error::Freeze { pattern });
        }
    }
    let mut options = Options {
        rule: config.rule().expect("options were checked"),
        loss: loss(config, dataset)?,
        training: config.training(),
        standard: config.standardised.as_ref().map(Into::into),
        ..Options::new(gpu.profile.clone())
    };
    let own = options.clone();
    let Prior::Run { saved, .. } = start else {
        let notice = Tuned::find(&gpu.info).apply(&mut options, &model.name, config.shard_batch());
        return Ok((plan::plan(&model, &wanted, &options)?, notice));
    };
    options.pins = saved.variants.clone();
    options.schedule = saved.schedule.unwrap_or(options.schedule);
    let differs = |why: String| {
        format!(
            "{why}: the run goes on with other kernels, so its last bits will differ from an uninterrupted one"
        )
    };
    match plan::plan(&model, &wanted, &options) {
        Err(plan::Error::NoVariant { op, variant, .. }) => {
            let notice = differs(format!("this adapter cannot run {op} as {variant}"));
            Ok((plan::plan(&model, &wanted, &own)?, Some(notice)))
        }
        planned => {
            let plan = planned?;
            let same = plan.variants().agrees_with(&saved.variants);
            let notice = (!same).then(|| differs("the work is cut otherwise here".into()));
            Ok((plan, notice))
        }
    }
}

/// Tells where the weights to begin with were trained on classes of other names or in another order.
fn other_classes(prepared: &Prepared) -> Option<String> {
    let Prior::Nothing {
        weights: Some((file, _)),
        ..
    } = &prepared.start
    else {
        return None;
    };
    let theirs = weights::class_names(file)?;
    let own = &prepared.config.class_names;
    (theirs != *own).then(|| {
        format!(
            "the weights to begin with know the classes {}, the data {}: the last layer begins with what it had for other numbers",
            theirs.join(", "),
            own.join(", ")
        )
    })
}

/// Tells where the weights to begin with were trained on pixels that were standardised otherwise, or were not.
fn other_pixels(prepared: &Prepared) -> Option<String> {
    let Prior::Nothing {
        weights: Some((file, _)),
        ..
    } = &prepared.start
    else {
        return None;
    };
    let told = |standardise: &Option<Standardise>| match standardise {
        None => "pixels as they are",
        Some(Standardise::Channel { .. }) => "pixels standardised by channel",
        Some(Standardise::Picture { .. }) => "pixels standardised by picture",
    };
    let theirs = told(&weights::preprocessing(file)?.standardise);
    let own = told(&prepared.config.standardised);
    (theirs != own)
        .then(|| format!("the weights to begin with were trained on {theirs}, this run has {own}"))
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
