//! Runs one mutant: the cases of every variant that it changes go through the verifier, the cheap
//! ones first, until one fails; what they all miss may be a race that the static check finds, which the
//! adapter cannot show. References are computed once a case and kept.

use crate::barriers;
use crate::draw::Mutant;
use crate::module::{Mutated, Target};
use fer_gpu::gpu::{Adapter, Checks, LimitChoice};
use fer_gpu::ops::reference::Expected;
use fer_gpu::ops::{AnyCase, AnyOp, REGISTRY};
use fer_gpu::verify::{self, Device, Outcome};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// By what, and how.
    Killed(String),
    Survived,
}

struct Prepared {
    inputs: Vec<Vec<u32>>,
    expected: Vec<Expected>,
}

/// An adapter, and the cases with their references.
pub struct Bench {
    adapter: Adapter,
    /// The cases of each op of the registry.
    cases: Vec<Vec<AnyCase>>,
    prepared: HashMap<(usize, usize), Rc<Prepared>>,
}

impl Bench {
    pub fn new(adapter: Adapter) -> Bench {
        Bench {
            adapter,
            cases: REGISTRY.iter().map(|op| op.cases()).collect(),
            prepared: HashMap::new(),
        }
    }

    fn prepared(&mut self, op: usize, case: usize) -> Rc<Prepared> {
        let make = || {
            let case = &self.cases[op][case];
            let inputs = verify::inputs(REGISTRY[op], case);
            let expected = verify::expected(REGISTRY[op], case, &inputs);
            Rc::new(Prepared { inputs, expected })
        };
        self.prepared.entry((op, case)).or_insert_with(make).clone()
    }

    /// Runs cases until one fails; `progress` hears the name of each before it runs. The device is
    /// a fresh one: a device keeps the kernels that it has compiled. Run-time checks are on, so that
    /// a wrong index stays inside the bound ranges, guard words included; grids are narrow.
    pub fn examine(
        &mut self,
        mutant: &Mutant,
        targets: &[Target],
        mut progress: impl FnMut(&str),
    ) -> Verdict {
        let Device { gpu, .. } =
            Device::open(&self.adapter, LimitChoice::Native).expect("a device opens");
        let mut variants: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for target in targets {
            variants.entry(target.op).or_default().push(target.variant);
        }
        let mut order = Vec::new();
        for &op in variants.keys() {
            for (case, any) in self.cases[op].iter().enumerate() {
                order.push((REGISTRY[op].cost(&any.params).flops, op, case));
            }
        }
        order.sort_unstable();
        let mutated: BTreeMap<usize, _> = variants
            .keys()
            .map(|&op| (op, Mutated::new(mutant, op)))
            .collect();
        for (_, op, case) in order {
            for &variant in &variants[&op] {
                let any = &self.cases[op][case];
                if !REGISTRY[op].supports(variant, &any.params, &gpu.profile) {
                    continue;
                }
                let info = REGISTRY[op].variants()[variant];
                let name = format!("{} {}, {}", REGISTRY[op].name(), info.name, any.name);
                progress(&name);
                let Prepared { inputs, expected } = &*self.prepared(op, case);
                let (kernel, any) = (mutated[&op], &self.cases[op][case]);
                let on = Checks::On;
                let outcome = verify::run_case(&gpu, kernel, variant, any, inputs, expected, on)
                    .expect("naga took the module, so the device does");
                if !outcome.passed() {
                    return Verdict::Killed(format!("{name}: {}", describe(&outcome)));
                }
            }
        }
        let races = targets.iter().filter_map(|target| {
            let info = mutated[&target.op].variants()[target.variant];
            let text = info.module();
            let found = barriers::findings(&text, info.entry, info.overrides());
            let found = found.expect("naga took the module").into_iter().next()?;
            let name = REGISTRY[target.op].name();
            let (variant, what) = (info.name, found.what);
            Some(format!("{name} {variant}, tests/barriers: {what}"))
        });
        races
            .map(Verdict::Killed)
            .next()
            .unwrap_or(Verdict::Survived)
    }
}

/// Without numbers: those of a race differ from run to run.
fn describe(outcome: &Outcome) -> String {
    match (&outcome.first, &outcome.stray) {
        (Some(wrong), _) => format!("{} is wrong", wrong.binding),
        (None, Some(stray)) => stray.clone(),
        (None, None) => unreachable!("it failed"),
    }
}
