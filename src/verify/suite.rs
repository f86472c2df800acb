//! Runs whatever a pattern names on many devices: every case of every op and variant, and the
//! networks' steps. A case's inputs and reference are made once for all devices.

use super::step::{self, Trial};
use super::{AdapterReport, Failure, KnownFault, Outcome, Pattern, Reason, Tally, case};
use crate::gpu::{self, Adapter, Checks, Gpu, LimitChoice};
use crate::network::{NETWORKS, Network};
use crate::ops::reference::Expected;
use crate::ops::{AnyCase, AnyOp, REGISTRY};
use std::collections::HashSet;
use std::time::Instant;

/// A device to verify.
pub struct Device {
    pub gpu: Gpu,
    pub limits: LimitChoice,
    /// The adapter's place in `fer-gpu devices`.
    pub index: usize,
}

/// Workgroups in a row of the grids under native limits: longer ones are folded, as those of more
/// than 65,535 must be, so that every kernel meets rows and a last one with workgroups too many.
const NARROW_GRID: u32 = 5;

impl Device {
    pub fn open(adapter: &Adapter, limits: LimitChoice) -> Result<Device, gpu::Error> {
        let mut gpu = Gpu::open(adapter, limits)?;
        if limits == LimitChoice::Native {
            gpu.profile.limits.max_workgroups_per_dimension = NARROW_GRID;
        }
        Ok(Device {
            gpu,
            limits,
            index: adapter.index,
        })
    }
}

/// What has a row of its own in the report.
#[derive(Clone, Copy)]
pub enum Subject {
    Op(&'static dyn AnyOp),
    /// Each dispatch of a training step of so many images.
    Step(&'static Network, u32),
    /// A training step twice.
    Repeat(&'static Network, u32),
}

impl Subject {
    pub fn name(&self) -> String {
        match self {
            Subject::Op(op) => op.name().into(),
            Subject::Step(network, _) => format!("step/{}", network.name),
            Subject::Repeat(network, _) => format!("repeat/{}", network.name),
        }
    }

    /// Bytes of host memory that its tensors take at their most, roughly, on an adapter whose
    /// memory is the host's; kernels and drivers come on top.
    pub fn bytes(&self) -> u64 {
        match self {
            Subject::Op(op) => {
                let cases = op.cases();
                let bytes = cases.iter().map(|case| case::bytes(*op, case));
                bytes.max().unwrap_or(0)
            }
            // Weights and both moments, and the words of all three before the update.
            Subject::Step(network, _) => 6 * step::weights(network),
            Subject::Repeat(network, _) => 3 * step::weights(network),
        }
    }
}

/// Everything that the pattern names; a large network only where it names networks, which train on `batch` images.
pub fn subjects(pattern: &Pattern, batch: u32) -> Vec<Subject> {
    let ops = REGISTRY.iter().copied().filter(|op| {
        let variants = op.variants();
        let named = |case: &AnyCase| {
            variants
                .iter()
                .any(|v| pattern.case(op.name(), v.name, &case.name))
        };
        pattern.op(op.name()) && op.cases().iter().any(named)
    });
    let tried = |network: &&Network| pattern.is_of_variants() || step::is_quick(network);
    let step = NETWORKS
        .iter()
        .filter(tried)
        .filter(|n| pattern.case("step", &n.name, ""))
        .map(|network| Subject::Step(network, batch));
    let repeat = NETWORKS
        .iter()
        .filter(tried)
        .filter(|n| pattern.case("repeat", &n.name, ""))
        .map(|network| Subject::Repeat(network, batch));
    ops.map(Subject::Op).chain(step).chain(repeat).collect()
}

/// Runs what `pattern` names of the subjects on `devices`; one report for each adapter, in their
/// order. `observe` hears of each subject before it runs, and its place among all.
pub fn run(
    devices: &[Device],
    subjects: &[Subject],
    pattern: &Pattern,
    known: &[KnownFault],
    observe: &mut dyn FnMut(&Subject, usize, usize),
) -> Vec<AdapterReport> {
    let mut sites: Vec<Site> = devices.iter().map(|d| Site::new(d, known)).collect();
    for (done, subject) in subjects.iter().enumerate() {
        observe(subject, done, subjects.len());
        for site in &mut sites {
            site.tallies.push(Tally::new(&subject.name()));
        }
        match *subject {
            Subject::Op(op) => {
                for case in op.cases() {
                    run_on_all(&mut sites, op, &case, pattern);
                }
            }
            Subject::Step(network, batch) => {
                sites.iter_mut().for_each(|s| s.step(network, batch));
            }
            Subject::Repeat(network, batch) => {
                sites.iter_mut().for_each(|s| s.repeat(network, batch));
            }
        }
    }
    merge(sites)
}

fn run_on_all(sites: &mut [Site], op: &'static dyn AnyOp, case: &AnyCase, pattern: &Pattern) {
    let variants = op.variants();
    let named = |v: &usize| pattern.case(op.name(), variants[*v].name, &case.name);
    let chosen: Vec<usize> = (0..variants.len()).filter(named).collect();
    if chosen.is_empty() {
        return;
    }
    let inputs = case::inputs(op, case);
    let expected = case::expected(op, case, &inputs);
    for site in sites {
        for &variant in &chosen {
            site.case(op, variant, case, &inputs, &expected);
        }
    }
}

/// A device and what was found on it so far.
struct Site<'a> {
    device: &'a Device,
    /// Known faults that concern it: what ran of each, and what failed.
    known: Vec<(&'a KnownFault, usize, usize)>,
    tallies: Vec<Tally>,
    /// Kernels that the device refused: once is enough.
    refused: HashSet<(&'static str, usize)>,
    lost: bool,
}

impl<'a> Site<'a> {
    fn new(device: &'a Device, known: &'a [KnownFault]) -> Site<'a> {
        let concerned = known.iter().filter(|k| k.concerns(&device.gpu.info));
        Site {
            device,
            known: concerned.map(|fault| (fault, 0, 0)).collect(),
            tallies: Vec::new(),
            refused: HashSet::new(),
            lost: false,
        }
    }

    fn tally(&mut self) -> &mut Tally {
        self.tallies.last_mut().expect("a subject has begun")
    }

    /// Runs a case of a variant, with run-time checks on and off.
    fn case(
        &mut self,
        op: &'static dyn AnyOp,
        variant: usize,
        case: &AnyCase,
        inputs: &[Vec<u32>],
        expected: &[Expected],
    ) {
        let gpu = &self.device.gpu;
        let name = op.variants()[variant].name;
        if self.lost
            || self.refused.contains(&(op.name(), variant))
            || !op.supports(variant, &case.params, &gpu.profile)
        {
            return;
        }
        let place = format!("{}/{name}/{}", op.name(), case.name);
        let begun = Instant::now();
        let mut failures = Vec::new();
        for checks in [Checks::On, Checks::Off] {
            let reason = match case::run_case(gpu, op, variant, case, inputs, expected, checks) {
                Ok(outcome) => {
                    self.tally().add(&outcome);
                    if outcome.passed() {
                        continue;
                    }
                    Reason::Wrong(outcome)
                }
                Err(error) => {
                    self.refused.insert((op.name(), variant));
                    self.lost |= matches!(error, gpu::Error::Lost { .. });
                    Reason::from(&error)
                }
            };
            failures.push(self.failure(&place, Some(checks), reason));
        }
        self.tally().time += begun.elapsed();
        self.book(op.name(), name, &case.name, failures);
    }

    /// Books the failures of one case, excused or not.
    fn book(&mut self, op: &str, variant: &str, case: &str, failures: Vec<Failure>) {
        let mut excused = false;
        for (fault, ran, failed) in &mut self.known {
            if fault.covers(op, variant, case) {
                *ran += 1;
                *failed += usize::from(!failures.is_empty());
                excused = true;
            }
        }
        let tally = self.tally();
        if excused {
            tally.known.extend(failures);
        } else {
            tally.failures.extend(failures);
        }
    }

    fn failure(&self, place: &str, checks: Option<Checks>, reason: Reason) -> Failure {
        Failure {
            limits: self.device.limits,
            place: place.into(),
            checks,
            reason,
            rerun: place.into(),
            batch: None,
        }
    }

    /// Holds every dispatch of a network's step against its reference.
    fn step(&mut self, network: &'static Network, batch: u32) {
        self.network("step", network, batch, |site, trial| {
            let mut first = None;
            trial.check(&mut |dispatch, outcome| {
                site.tally().add(outcome);
                if !outcome.passed() && first.is_none() {
                    let name = format!("{} ({})", dispatch.label, dispatch.op.name());
                    first = Some((name, outcome.clone()));
                }
            })?;
            Ok(first.map(|(name, outcome)| (name, Reason::Wrong(outcome))))
        });
    }

    /// Runs a network's step twice.
    fn repeat(&mut self, network: &'static Network, batch: u32) {
        self.network("repeat", network, batch, |site, trial| {
            let differs = trial.repeat()?;
            site.tally().add(&Outcome::default());
            Ok(differs.map(|reason| ("weights".into(), reason)))
        });
    }

    /// Sets a network up and runs `check`, which may find a place and what is wrong there.
    fn network(
        &mut self,
        subject: &str,
        network: &'static Network,
        batch: u32,
        check: impl FnOnce(&mut Self, &mut Trial) -> Result<Option<(String, Reason)>, gpu::Error>,
    ) {
        if self.lost {
            return;
        }
        let begun = Instant::now();
        let device = self.device;
        let attempt = || {
            let mut trial = Trial::new(&device.gpu, network, batch)?;
            Ok(check(self, &mut trial)?)
        };
        let found: Result<_, step::Error> = attempt();
        let named = format!("{subject}/{}", network.name);
        let failure = match found {
            Ok(None) => None,
            Ok(Some((place, reason))) => Some((format!("{named}/{place}"), reason)),
            Err(error) if error.too_small() => {
                self.tally().skipped.push(error.to_string());
                None
            }
            Err(error) => {
                self.lost |= error.is_lost();
                Some((named.clone(), Reason::Device(error.to_string())))
            }
        };
        let failures = failure.map(|(place, reason)| Failure {
            rerun: named,
            batch: Some(batch),
            ..self.failure(&place, None, reason)
        });
        self.tally().time += begun.elapsed();
        self.book(subject, &network.name, "", failures.into_iter().collect());
    }
}

/// One report for each adapter: its devices differ in their limits only.
fn merge(mut sites: Vec<Site>) -> Vec<AdapterReport> {
    faults_gone(&mut sites);
    let mut reports: Vec<AdapterReport> = Vec::new();
    for site in sites {
        let Device { gpu, limits, index } = site.device;
        match reports.iter_mut().find(|r| r.index == *index) {
            Some(report) => {
                report.limits.push(*limits);
                for (tally, more) in report.tallies.iter_mut().zip(site.tallies) {
                    tally.merge(more);
                }
            }
            None => reports.push(AdapterReport {
                adapter: gpu.info.clone(),
                index: *index,
                limits: vec![*limits],
                tallies: site.tallies,
            }),
        }
    }
    reports
}

/// A known fault whose cases all pass on an adapter, whatever the limits, must leave the table.
fn faults_gone(sites: &mut [Site]) {
    for i in 0..sites.len() {
        let index = sites[i].device.index;
        if sites[..i].iter().any(|s| s.device.index == index) {
            continue;
        }
        for k in 0..sites[i].known.len() {
            // All sites of an adapter list the same faults, in the same order.
            let same = sites.iter().filter(|s| s.device.index == index);
            let (ran, failed) = same.fold((0, 0), |(ran, failed), site| {
                (ran + site.known[k].1, failed + site.known[k].2)
            });
            if ran > 0 && failed == 0 {
                let fault = sites[i].known[k].0.clone();
                let place = fault.op;
                let failure = sites[i].failure(place, None, Reason::FaultGone(fault));
                sites[i].tally().failures.push(failure);
            }
        }
    }
}
