//! The ops: what each kernel computes, its bindings, variants, cost and test cases.
//!
//! An op is a contract between a WGSL entry point and a CPU reference of the same name. The
//! registry below is what verification, benchmarks and tests iterate, so an op without a
//! reference, cases or a cost cannot exist. Data flows from here to the plan (dispatches) and
//! to the gpu room (pipelines); nothing here knows of either.

pub mod activation;
pub mod adam;
pub mod add;
pub mod augment;
pub mod average_pool2d;
pub mod batch_norm;
pub mod concat;
pub mod conv2d;
pub mod decay;
pub mod depthwise_conv2d;
pub mod dropout;
pub mod fold_batch_norm;
pub mod gather;
pub mod global_average_pool;
pub mod global_max_pool;
pub mod local_response_norm;
pub mod matmul;
pub mod max_pool2d;
pub mod moving_statistic;
pub mod non_finite;
pub mod norms;
pub mod pack;
pub mod pad2d;
pub mod params;
pub mod peak_copy;
pub mod peak_fma;
pub mod pointwise_sum;
pub mod reference;
pub mod regularize;
pub mod relu;
pub mod rmsprop;
pub mod sgd;
pub mod softmax;
pub mod softmax_cross_entropy;
pub mod standardise;
pub mod sum_shares;
pub mod update;
pub mod weight_average;

use crate::profile::{Class, Profile};
pub use params::{Field, Params, Step};
use reference::Expected;
use std::ops::Range;

/// How a kernel uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// Read and written in place.
    InOut,
    /// Written whole, never read.
    Out,
}

/// What the words of a buffer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    F32,
    /// Class or row numbers, or packed bytes.
    U32,
}

/// The part of a training step that an op serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Images come in.
    Input,
    Forward,
    Loss,
    Backward,
    Update,
}

/// One storage buffer of a kernel, in binding order.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Its name in the naive kernel. The gradient of x is `grad_x` in WGSL: naga would hand `dx` on
    /// to HLSL as it is, where DXC has a namespace of that name.
    pub name: &'static str,
    pub access: Access,
    pub dtype: Dtype,
}

/// A buffer of integers that the kernel reads.
pub(crate) const fn integers(name: &'static str) -> Binding {
    let dtype = Dtype::U32;
    Binding {
        dtype,
        ..read(name)
    }
}
pub(crate) const fn read(name: &'static str) -> Binding {
    let (access, dtype) = (Access::Read, Dtype::F32);
    Binding {
        name,
        access,
        dtype,
    }
}
pub(crate) const fn in_out(name: &'static str) -> Binding {
    let access = Access::InOut;
    Binding {
        access,
        ..read(name)
    }
}
pub(crate) const fn out(name: &'static str) -> Binding {
    let access = Access::Out;
    Binding {
        access,
        ..read(name)
    }
}

/// A WGSL file, embedded.
#[derive(Debug)]
pub struct Shader {
    /// File name under `shaders/`.
    pub file: &'static str,
    pub text: &'static str,
    /// Files whose functions this one may use: the common ones last.
    pub shared: &'static [&'static Shader],
    /// Do its arrays become registers only where a compiler writes loops out? Its `override` sizes then become constants
    /// of the text, for arrays cannot have others, and it runs without run-time checks: they keep compilers from it.
    pub written_out: bool,
}

impl Shader {
    /// This file, then what it uses, so that its line numbers stay true; [`VariantInfo::module`] is what compiles.
    pub fn module(&self) -> String {
        let shared = self.shared.iter().map(|shader| shader.text);
        std::iter::once(self.text).chain(shared).collect()
    }
}

macro_rules! shader {
    ($file:literal $(, $shared:path)*) => {
        $crate::ops::Shader {
            file: $file,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $file)),
            shared: &[$(&$shared,)* &$crate::ops::COMMON],
            written_out: false,
        }
    };
}
pub(crate) use shader;

/// A shader whose loops compilers write out.
macro_rules! written_out {
    ($file:literal $(, $shared:path)*) => {
        $crate::ops::Shader {
            written_out: true,
            ..$crate::ops::shader!($file $(, $shared)*)
        }
    };
}
pub(crate) use written_out;

/// How many neighbours a kernel takes at once, where it is written for any number: one, and four.
pub(crate) static SCALARS: Shader = shader!("lanes_scalars.wgsl");
pub(crate) static VECTORS: Shader = shader!("lanes_vectors.wgsl");

/// Helper functions that every kernel may use.
static COMMON: Shader = Shader {
    file: "common.wgsl",
    text: include_str!("../../shaders/common.wgsl"),
    shared: &[],
    written_out: false,
};

/// What changes from step to step.
pub(crate) static STEP: Shader = shader!("step.wgsl");

/// A walk over the places of a share, for lanes that take every so many of them.
pub(crate) static SHARE_WALK: Shader = shader!("share_walk.wgsl");

/// What each lane of a subgroup of 8 has loaded, spread to all.
pub(crate) static SPREAD: Shader = shader!("subgroup_spread.wgsl");

/// Where the quads of pixels lie that a lane owns.
pub(crate) static LANE_QUADS: Shader = shader!("lane_quads.wgsl");

/// What the taps of a row see, for kernels that load rows in vectors.
pub(crate) static ROW_TAPS: Shader = shader!("row_taps.wgsl");

/// How an implementation goes about its work: the committed table ranks families by kind of adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The readable one, which runs everywhere.
    Naive,
    /// Operands loaded as vectors.
    Vectors,
    /// Tiles in the registers of an invocation.
    Registers,
    /// Tiles whose operands a subgroup shares by broadcast.
    Subgroup,
    /// Tiles over workgroup memory.
    Shared,
    /// Sums as trees over a workgroup.
    Tree,
    /// Rows of images loaded as vectors.
    Rows,
}

/// One implementation of an op.
pub struct Variant<P> {
    /// Family and tile, such as `naive`, `shared16`, `registers`, `subgroup8`.
    pub name: &'static str,
    pub family: Family,
    pub shader: &'static Shader,
    pub entry: &'static str,
    /// Values of the shader's `override` constants.
    pub constants: &'static [(&'static str, f64)],
    /// Workgroups that the dispatch needs (folded into two dimensions where they are many).
    pub workgroups: fn(&P) -> u64,
    /// The longest serial chain of additions behind one output: the K of the error bound.
    pub chain: fn(&P) -> u64,
    /// Can this variant run these shapes on this adapter?
    pub supports: fn(&P, &Profile) -> bool,
    /// Is it any good for these shapes? Asked where nobody measured.
    pub suits: fn(&P) -> bool,
    /// The variant whose bits it gives: it computes each output by the same operations in the same order, in
    /// other tiles. Between twins a batch may choose (`tests/twins.rs`).
    pub twin: Option<&'static str>,
}

/// What a dispatch must do at the least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub flops: u64,
    /// Bytes read and written once each.
    pub bytes: u64,
}

/// How a test case fills a buffer.
#[derive(Clone, Debug)]
pub enum Fill {
    /// Uniform in [-scale, scale).
    Uniform(f32),
    /// Uniform in [low, high).
    Range(f32, f32),
    /// Integers in low..=high as f32: sums of products stay exact below 2^24.
    Integers(i32, i32),
    /// Such integers times the smallest normal f32, the numbers next to zero that no device flushes:
    /// their products with integers, and the sums of those, are exact too.
    Tiny(i32, i32),
    /// Neighbours: 1 and the numbers behind it, so many in all.
    Near(u32),
    /// Random 32-bit words below the bound.
    Words(u32),
    Zero,
    Values(Vec<f32>),
    Indices(Vec<u32>),
}

/// One case: shapes and inputs. It serves tests, `verify` and `bench`.
pub struct Case<P> {
    pub name: String,
    pub params: P,
    pub step: Step,
    /// One per binding that the kernel reads, in binding order.
    pub fills: Vec<Fill>,
    /// Inputs are such that f32 is exact in any order: the result must be equal.
    pub exact: bool,
}

/// A share of what a dispatch writes, as a dispatch of its own.
pub struct Piece<P> {
    pub params: P,
    /// The elements that it has of each binding of the whole.
    pub ranges: Vec<Range<usize>>,
}

impl<P> Piece<P> {
    /// All of a dispatch.
    pub fn whole(params: P, lengths: Vec<usize>) -> Piece<P> {
        let ranges = lengths.into_iter().map(|len| 0..len).collect();
        Piece { params, ranges }
    }
}

/// An op: see the module's head.
pub trait Op: Sync + 'static {
    type Params: Params;
    const NAME: &'static str;
    const BINDINGS: &'static [Binding];
    /// The part of a step that it serves, where it serves one only.
    const PHASE: Phase = Phase::Forward;
    /// Does the kernel bind [`Step`]?
    const STEP: bool = false;
    const VARIANTS: &'static [Variant<Self::Params>];

    /// Elements (of four bytes) of each binding.
    fn lengths(p: &Self::Params) -> Vec<usize>;
    /// The f64 reference: what each written binding must hold, in binding order. `bindings`
    /// are the words of every binding before the dispatch (outputs empty).
    fn reference(p: &Self::Params, step: &Step, bindings: &[&[u32]]) -> Vec<Expected>;
    /// Cuts a dispatch into pieces that write about `elements` of each binding, in order, so that
    /// nobody needs the reference of all it writes at once: in f64, with bounds, that is a multiple
    /// of the tensors. An op whose outputs are never large stays whole.
    fn pieces(p: &Self::Params, _elements: usize) -> Vec<Piece<Self::Params>> {
        vec![Piece::whole(*p, Self::lengths(p))]
    }
    fn cost(p: &Self::Params) -> Cost;
    fn cases() -> Vec<Case<Self::Params>>;
}

/// A variant with the types of its parameters erased.
#[derive(Clone, Copy, Debug)]
pub struct VariantInfo {
    pub name: &'static str,
    pub family: Family,
    pub twin: Option<&'static str>,
    pub shader: &'static Shader,
    pub entry: &'static str,
    pub constants: &'static [(&'static str, f64)],
}

impl VariantInfo {
    /// The module to compile, on the lines of its files.
    pub fn module(&self) -> String {
        let text = self.shader.module();
        if !self.shader.written_out {
            return text;
        }
        let lines = text.lines().map(|line| self.sized(line) + "\n");
        lines.collect()
    }

    /// `override NAME: TYPE;` as the constant that it is here.
    fn sized(&self, line: &str) -> String {
        let declared = line.strip_prefix("override ").and_then(|rest| {
            let (name, kind) = rest.strip_suffix(';')?.split_once(": ")?;
            let (_, value) = self.constants.iter().find(|(own, _)| *own == name)?;
            Some(format!("const {name}: {kind} = {kind}({value});"))
        });
        declared.unwrap_or_else(|| line.into())
    }

    /// What is left for the pipeline to say.
    pub fn overrides(&self) -> &'static [(&'static str, f64)] {
        match self.shader.written_out {
            true => &[],
            false => self.constants,
        }
    }
}

/// A case with the types of its parameters erased.
pub struct AnyCase {
    pub name: String,
    pub params: Vec<u8>,
    pub step: Step,
    pub fills: Vec<Fill>,
    pub exact: bool,
}

/// [`Op`] as an object; parameters travel as bytes.
pub trait AnyOp: Sync {
    fn name(&self) -> &'static str;
    fn bindings(&self) -> &'static [Binding];
    fn phase(&self) -> Phase;
    fn uses_step(&self) -> bool;
    fn fields(&self) -> &'static [Field];
    fn variants(&self) -> Vec<VariantInfo>;
    fn workgroups(&self, variant: usize, params: &[u8]) -> u64;
    fn chain(&self, variant: usize, params: &[u8]) -> u64;
    fn supports(&self, variant: usize, params: &[u8], profile: &Profile) -> bool;
    fn suits(&self, variant: usize, params: &[u8]) -> bool;
    fn lengths(&self, params: &[u8]) -> Vec<usize>;
    fn reference(&self, params: &[u8], step: &Step, bindings: &[&[u32]]) -> Vec<Expected>;
    fn pieces(&self, params: &[u8], elements: usize) -> Vec<Piece<Vec<u8>>>;
    fn cost(&self, params: &[u8]) -> Cost;
    fn cases(&self) -> Vec<AnyCase>;
    /// The parameters, readable.
    fn describe(&self, params: &[u8]) -> String;
}

fn typed<P: Params>(bytes: &[u8]) -> P {
    bytemuck::pod_read_unaligned(bytes)
}

impl<T: Op> AnyOp for T {
    fn name(&self) -> &'static str {
        T::NAME
    }
    fn bindings(&self) -> &'static [Binding] {
        T::BINDINGS
    }
    fn phase(&self) -> Phase {
        T::PHASE
    }
    fn uses_step(&self) -> bool {
        T::STEP
    }
    fn fields(&self) -> &'static [Field] {
        T::Params::FIELDS
    }
    fn variants(&self) -> Vec<VariantInfo> {
        let info = |v: &Variant<T::Params>| VariantInfo {
            name: v.name,
            family: v.family,
            twin: v.twin,
            shader: v.shader,
            entry: v.entry,
            constants: v.constants,
        };
        T::VARIANTS.iter().map(info).collect()
    }
    fn workgroups(&self, variant: usize, params: &[u8]) -> u64 {
        (T::VARIANTS[variant].workgroups)(&typed(params))
    }
    fn chain(&self, variant: usize, params: &[u8]) -> u64 {
        (T::VARIANTS[variant].chain)(&typed(params))
    }
    fn supports(&self, variant: usize, params: &[u8], profile: &Profile) -> bool {
        (T::VARIANTS[variant].supports)(&typed(params), profile)
    }
    fn suits(&self, variant: usize, params: &[u8]) -> bool {
        (T::VARIANTS[variant].suits)(&typed(params))
    }
    fn lengths(&self, params: &[u8]) -> Vec<usize> {
        T::lengths(&typed(params))
    }
    fn reference(&self, params: &[u8], step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        T::reference(&typed(params), step, bindings)
    }
    fn pieces(&self, params: &[u8], elements: usize) -> Vec<Piece<Vec<u8>>> {
        let erase = |piece: Piece<T::Params>| Piece {
            params: bytemuck::bytes_of(&piece.params).to_vec(),
            ranges: piece.ranges,
        };
        let pieces = T::pieces(&typed(params), elements);
        pieces.into_iter().map(erase).collect()
    }
    fn cost(&self, params: &[u8]) -> Cost {
        T::cost(&typed(params))
    }
    fn cases(&self) -> Vec<AnyCase> {
        let erase = |c: Case<T::Params>| AnyCase {
            name: c.name,
            params: bytemuck::bytes_of(&c.params).to_vec(),
            step: c.step,
            fills: c.fills,
            exact: c.exact,
        };
        T::cases().into_iter().map(erase).collect()
    }
    fn describe(&self, params: &[u8]) -> String {
        format!("{:?}", typed::<T::Params>(params))
    }
}

/// Every op. Adding op X is its own files and a line here.
pub static REGISTRY: &[&dyn AnyOp] = &[
    &gather::Gather,
    &augment::Apply,
    &standardise::ByChannels,
    &standardise::ByPictures,
    &conv2d::Forward,
    &conv2d::BackwardInput,
    &conv2d::BackwardWeight,
    &conv2d::ReduceWeight,
    &pointwise_sum::BackwardSum,
    &depthwise_conv2d::Forward,
    &depthwise_conv2d::BackwardInput,
    &depthwise_conv2d::BackwardWeight,
    &max_pool2d::Forward,
    &max_pool2d::Backward,
    &average_pool2d::Forward,
    &average_pool2d::Backward,
    &batch_norm::Statistics,
    &batch_norm::Merge,
    &batch_norm::Apply,
    &batch_norm::Forward,
    &batch_norm::BackwardSums,
    &batch_norm::BackwardMerge,
    &batch_norm::BackwardInput,
    &batch_norm::Backward,
    &fold_batch_norm::Kernel,
    &fold_batch_norm::Bias,
    &pad2d::Forward,
    &pad2d::Backward,
    &concat::Forward,
    &concat::Backward,
    &matmul::Forward,
    &matmul::ReduceForward,
    &matmul::BackwardInput,
    &matmul::BackwardWeight,
    &matmul::BackwardWeightAdam,
    &matmul::BackwardBias,
    &matmul::Backward,
    &sum_shares::SumShares,
    &relu::Forward,
    &relu::Backward,
    &activation::Forward,
    &activation::Backward,
    &dropout::Apply,
    &add::Add,
    &global_average_pool::Forward,
    &global_average_pool::Backward,
    &global_max_pool::Forward,
    &global_max_pool::Backward,
    &local_response_norm::Forward,
    &local_response_norm::Backward,
    &softmax::Forward,
    &softmax::Backward,
    &softmax_cross_entropy::SoftmaxCrossEntropy,
    &adam::Adam,
    &sgd::Sgd,
    &sgd::SgdMomentum,
    &rmsprop::RmsProp,
    &rmsprop::RmsPropMomentum,
    &regularize::L2Gradient,
    &regularize::ClipValue,
    &regularize::Accumulate,
    &norms::SquareSums,
    &norms::ClipScale,
    &norms::ScaleGradient,
    &norms::L2Penalty,
    &decay::DecayWeights,
    &moving_statistic::MovingStatistic,
    &weight_average::WeightAverage,
    &pack::Pack,
    &pack::Unpack,
    &non_finite::Count,
    &peak_fma::PeakFma,
    &peak_copy::PeakCopy,
    &peak_copy::PeakUpdate,
];

/// A bias of `count` outputs, of which every third is NaN, of either sign: no ReLU may lose it, and no
/// other output may know of it.
pub(crate) fn nan_among(count: u32) -> Fill {
    let one = |i| match i % 6 {
        1 => f32::NAN,
        4 => -f32::NAN,
        _ => i as f32 - 2.0,
    };
    Fill::Values((0..count).map(one).collect())
}

/// Words of a binding that a kernel does not look at: one vector.
pub(crate) const UNUSED: usize = 4;

/// Invocations of a workgroup of the plain element-by-element kernels.
pub(crate) const ELEMENTWISE: u64 = 64;

/// Workgroups for one invocation per element.
pub(crate) fn per_element(elements: u64) -> u64 {
    elements.div_ceil(ELEMENTWISE)
}

/// Invocations of a workgroup where each has much to do, on software adapters, whose cores take turns at workgroups.
pub(crate) const FEW: u64 = 8;

/// Iterations that one invocation may spend in loops, nested ones counted together: Mesa's
/// llvmpipe silently leaves a shader's loops after 65,535.
pub(crate) const MAX_ITERATIONS: u64 = 65_535;

/// May an invocation take a plane of so many steps, a few at a turn? Each turn has loops of its own.
pub(crate) fn takes_planes(steps: u32, profile: &Profile) -> bool {
    profile.class == Class::Gpu || 3 * u64::from(steps) <= MAX_ITERATIONS
}

/// For variants that run everywhere.
pub(crate) fn anywhere<P>(_: &P, _: &Profile) -> bool {
    true
}

/// For variants that suit whatever they run.
pub(crate) fn always<P>(_: &P) -> bool {
    true
}

/// For ops without a sum: the bound is the reference's own.
pub(crate) fn no_chain<P>(_: &P) -> u64 {
    1
}
