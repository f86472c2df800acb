//! What is timed: the distinct dispatches of a training step, or the test cases of the ops; each
//! with the data that it would have, in buffers of its own.

use super::Error;
use super::report::Pass;
use crate::gpu::kernel::Bound;
use crate::gpu::{Batch, Buffer, Executor, Gpu, Work};
use crate::ops::{Access, AnyCase, AnyOp, Phase, REGISTRY, Step};
use crate::plan::{self, Dispatch, Range};
use crate::verify::{self, Pattern};
use std::collections::HashMap;

/// Tensors of more bytes are not copied but bound where the plan has them: larger than a cache
/// anyway.
const LARGE: u64 = 32 << 20;

/// Copies of everything take at most this much more memory, and there are at most so many.
const COPIES: u64 = 256 << 20;
const MOST_COPIES: u64 = 16;

/// Ranges that are bound begin at multiples of this, which suits every adapter.
const ALIGNMENT: u64 = 256;

/// Which variants of an op are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Variants {
    /// The one that the plan chooses.
    Best,
    /// Every one that runs here.
    All,
}

/// One kernel at one shape.
pub struct Subject {
    pub op: &'static dyn AnyOp,
    pub variant: usize,
    pub params: Vec<u8>,
    pub step: Step,
    pub shape: String,
    pub layer: String,
    pub pass: Pass,
    pub planned: bool,
    pub count: usize,
    /// The number of the test case that it is, else it is a dispatch of a plan.
    pub case: Option<usize>,
    /// One for each binding.
    pieces: Vec<Piece>,
}

/// Where a binding's data lie.
#[derive(Clone)]
enum Piece {
    /// In a buffer that may be copied, by its number.
    Own(usize),
    /// Where the plan has it.
    Plan(Buffer, Range),
    /// Written only, anywhere: bytes.
    Scratch(u64),
}

/// Everything that is timed together.
#[derive(Default)]
pub struct Subjects {
    pub all: Vec<Subject>,
    owned: Vec<Buffer>,
    /// Does every dispatch of the step have its subject?
    pub complete: bool,
}

impl Subjects {
    /// Runs one training step and keeps what each distinct dispatch that is wanted found; `wanted`
    /// hears of each with a variant that could run it.
    pub fn of_step(
        executor: &Executor,
        batch: &Batch,
        wanted: &dyn Fn(&Dispatch, usize) -> bool,
    ) -> Result<Subjects, Error> {
        let profile = &executor.gpu.profile;
        let mut capture = Capture {
            executor,
            step: batch.step,
            versions: vec![0; executor.plan.buffers.len()],
            copies: HashMap::new(),
            places: HashMap::new(),
            subjects: Subjects::default(),
        };
        executor.upload(Work::TRAIN, batch);
        let program = executor.dispatches(Work::TRAIN);
        let mut counted = 0;
        for (index, dispatch) in program.iter().enumerate() {
            let pass = pass(dispatch.phase);
            for variant in 0..dispatch.op.variants().len() {
                let runs = dispatch.op.supports(variant, &dispatch.params, profile);
                if runs && wanted(dispatch, variant) {
                    capture.add(dispatch, variant, pass)?;
                    counted += usize::from(variant == dispatch.variant);
                }
            }
            executor.launch(Work::TRAIN, index)?;
            capture.written(dispatch);
        }
        capture.subjects.complete = counted == program.len();
        Ok(capture.subjects)
    }

    /// Adds the test cases that `pattern` names.
    pub fn add_cases(
        &mut self,
        gpu: &Gpu,
        pattern: &Pattern,
        variants: Variants,
    ) -> Result<(), Error> {
        for &op in REGISTRY {
            for (number, case) in op.cases().into_iter().enumerate() {
                let best = plan::preferred(op, &case.params, &gpu.profile);
                let named = |v: &usize| {
                    (variants == Variants::All || best == Some(*v))
                        && op.supports(*v, &case.params, &gpu.profile)
                        && pattern.case(op.name(), op.variants()[*v].name, &case.name)
                };
                let chosen: Vec<usize> = (0..op.variants().len()).filter(named).collect();
                if !chosen.is_empty() {
                    self.add_case(gpu, op, number, &case, &chosen)?;
                }
            }
        }
        Ok(())
    }

    fn add_case(
        &mut self,
        gpu: &Gpu,
        op: &'static dyn AnyOp,
        number: usize,
        case: &AnyCase,
        variants: &[usize],
    ) -> Result<(), Error> {
        let mut pieces = Vec::new();
        for (binding, words) in op.bindings().iter().zip(verify::inputs(op, case)) {
            let bytes = 4 * words.len() as u64;
            pieces.push(if binding.access == Access::Out {
                Piece::Scratch(bytes)
            } else {
                let buffer = gpu.storage(binding.name, bytes)?;
                gpu.upload(&buffer, 0, bytemuck::cast_slice(&words));
                self.own(buffer)
            });
        }
        self.all.extend(variants.iter().map(|&variant| Subject {
            op,
            variant,
            params: case.params.clone(),
            step: case.step,
            shape: case.name.clone(),
            layer: String::new(),
            pass: pass(op.phase()),
            planned: false,
            count: 0,
            case: Some(number),
            pieces: pieces.clone(),
        }));
        Ok(())
    }

    fn own(&mut self, buffer: Buffer) -> Piece {
        self.owned.push(buffer);
        Piece::Own(self.owned.len() - 1)
    }

    /// Buffers of all subjects, as often as memory allows: a set is used again only after the
    /// others, so that what a cache holds of it is gone.
    pub fn sets(&self, gpu: &Gpu) -> Result<Sets, Error> {
        let written = self.all.iter().map(|s| s.scratch_bytes()).max();
        let scratch_bytes = written.unwrap_or(0).max(ALIGNMENT);
        let once = scratch_bytes + self.owned.iter().map(Buffer::size).sum::<u64>();
        let count = (COPIES / once).clamp(1, MOST_COPIES) as usize;
        let mut sets = Sets(Vec::new());
        for set in 0..count {
            let owned = if set == 0 {
                self.owned.clone()
            } else {
                let copy = |buffer| gpu.duplicate("a copy to time", Bound::whole(buffer));
                self.owned.iter().map(copy).collect::<Result<_, _>>()?
            };
            let scratch = gpu.storage("what timed kernels write", scratch_bytes)?;
            sets.0.push(Set { owned, scratch });
        }
        Ok(sets)
    }
}

impl Subject {
    fn scratch_bytes(&self) -> u64 {
        let bytes = |piece: &Piece| match piece {
            Piece::Scratch(bytes) => bytes.next_multiple_of(ALIGNMENT),
            _ => 0,
        };
        self.pieces.iter().map(bytes).sum()
    }

    pub fn variant_name(&self) -> &'static str {
        self.op.variants()[self.variant].name
    }
}

/// The buffers of the subjects, several times.
pub struct Sets(Vec<Set>);

struct Set {
    owned: Vec<Buffer>,
    scratch: Buffer,
}

impl Sets {
    /// What a subject binds, in each set.
    pub fn bounds<'a>(&'a self, subject: &'a Subject) -> Vec<Vec<Bound<'a>>> {
        self.0.iter().map(|set| set.bound(subject)).collect()
    }
}

impl Set {
    fn bound<'a>(&'a self, subject: &'a Subject) -> Vec<Bound<'a>> {
        let mut free = 0;
        let place = |piece: &'a Piece| match piece {
            Piece::Own(number) => Bound::whole(&self.owned[*number]),
            Piece::Plan(buffer, range) => Bound {
                buffer,
                offset: range.offset,
                bytes: range.bytes,
            },
            Piece::Scratch(bytes) => {
                let offset = free;
                free += bytes.next_multiple_of(ALIGNMENT);
                Bound {
                    buffer: &self.scratch,
                    offset,
                    bytes: *bytes,
                }
            }
        };
        subject.pieces.iter().map(place).collect()
    }
}

/// Kernel and shape, variant, and bytes of the bindings: what makes dispatches alike.
type Kind = (String, usize, Vec<u64>);

/// A step on its way.
struct Capture<'a> {
    executor: &'a Executor<'a>,
    step: Step,
    /// How often each buffer of the plan was written so far.
    versions: Vec<u64>,
    /// Ranges that were copied, with the version of their buffer.
    copies: HashMap<(Range, u64), Piece>,
    /// Where each kind of dispatch stands among the subjects.
    places: HashMap<Kind, usize>,
    subjects: Subjects,
}

impl Capture<'_> {
    /// Counts a dispatch, or keeps its data if it is the first of its kind.
    fn add(&mut self, dispatch: &Dispatch, variant: usize, pass: Pass) -> Result<(), Error> {
        let op = dispatch.op;
        let planned = variant == dispatch.variant;
        let sizes = dispatch.bindings.iter().map(|range| range.bytes).collect();
        let key = (plan::key(op, &dispatch.params), variant, sizes);
        if let Some(&place) = self.places.get(&key) {
            self.subjects.all[place].count += usize::from(planned);
            return Ok(());
        }
        self.places.insert(key, self.subjects.all.len());
        let bindings = op.bindings().iter().zip(&dispatch.bindings);
        let pieces = bindings
            .map(|(binding, range)| self.piece(binding.access, range))
            .collect::<Result<_, _>>()?;
        self.subjects.all.push(Subject {
            op,
            variant,
            params: dispatch.params.clone(),
            step: self.step,
            shape: plan::shape(op, &dispatch.params),
            layer: dispatch.label.clone(),
            pass,
            planned,
            count: usize::from(planned),
            case: None,
            pieces,
        });
        Ok(())
    }

    fn piece(&mut self, access: Access, range: &Range) -> Result<Piece, Error> {
        let buffer = self.executor.buffer(range.buffer);
        if range.bytes > LARGE {
            return Ok(Piece::Plan(buffer.clone(), *range));
        }
        if access == Access::Out {
            return Ok(Piece::Scratch(range.bytes));
        }
        let key = (*range, self.versions[range.buffer]);
        if let Some(copy) = self.copies.get(&key)
            && access == Access::Read
        {
            return Ok(copy.clone());
        }
        let from = Bound {
            buffer,
            offset: range.offset,
            bytes: range.bytes,
        };
        let copy = self.executor.gpu.duplicate("data to time with", from)?;
        let piece = self.subjects.own(copy);
        if access == Access::Read {
            self.copies.insert(key, piece.clone());
        }
        Ok(piece)
    }

    /// Notes what a dispatch wrote.
    fn written(&mut self, dispatch: &Dispatch) {
        for (binding, range) in dispatch.op.bindings().iter().zip(&dispatch.bindings) {
            if binding.access != Access::Read {
                self.versions[range.buffer] += 1;
            }
        }
    }
}

/// The pass that a table shows for a phase.
fn pass(phase: Phase) -> Pass {
    match phase {
        Phase::Input | Phase::Forward | Phase::Loss => Pass::Forward,
        Phase::Backward => Pass::Backward,
        Phase::Update => Pass::Update,
    }
}
