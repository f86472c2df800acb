//! From a fault to kernels: the mutated text, the variants whose compiled code it changes, and the
//! op that hands them out in place of the sound ones.

use crate::draw::{Fate, Mutant};
use fer_gpu::ops::reference::Expected;
use fer_gpu::ops::{
    AnyCase, AnyOp, Binding, Cost, Field, Phase, Piece, REGISTRY, Shader, Step, VariantInfo,
};
use fer_gpu::profile::Profile;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use std::collections::HashMap;

impl Mutant {
    /// The file with the fault.
    fn text(&self, shader: &Shader) -> String {
        let mut lines: Vec<&str> = shader.text.lines().collect();
        assert_eq!(lines[self.line - 1].trim(), self.original);
        lines[self.line - 1] = &self.mutated;
        // The files of a module follow one another: each ends its last line.
        lines.join("\n") + "\n"
    }

    /// The shader with the fault in it, or nothing where it has no part in this one. It lives as
    /// long as the process: shaders do.
    fn shader(&self, shader: &'static Shader) -> Option<&'static Shader> {
        if shader.file == self.file {
            let text = self.text(shader).leak();
            return Some(Box::leak(Box::new(Shader { text, ..*shader })));
        }
        let at = shader.shared.iter().position(|s| s.file == self.file)?;
        let mut shared = shader.shared.to_vec();
        shared[at] = self.shader(shared[at])?;
        let shared = shared.leak();
        Some(Box::leak(Box::new(Shader { shared, ..*shader })))
    }
}

/// One variant that a mutant changes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Place in the registry, and in the op's variants.
    pub op: usize,
    pub variant: usize,
}

/// Compiles sound and mutated variants and keeps the sound ones' code.
#[derive(Default)]
pub struct Compiler {
    sound: HashMap<(&'static str, &'static str, &'static str), Vec<u32>>,
}

impl Compiler {
    /// Does a mutant compile, and does it change any code?
    pub fn fate(&mut self, mutant: &Mutant) -> Fate {
        match self.targets(mutant) {
            None => Fate::Refused,
            Some(targets) if targets.is_empty() => Fate::Identical,
            Some(_) => Fate::Counts,
        }
    }

    /// The variants whose SPIR-V a mutant changes; nothing where one no longer compiles.
    pub fn targets(&mut self, mutant: &Mutant) -> Option<Vec<Target>> {
        let mut targets = Vec::new();
        for (op, any) in REGISTRY.iter().enumerate() {
            for (variant, info) in any.variants().iter().enumerate() {
                let Some(shader) = mutant.shader(info.shader) else {
                    continue;
                };
                let mutated = spirv(&VariantInfo { shader, ..*info })?;
                let sound = self
                    .sound
                    .entry((info.shader.file, info.entry, info.name))
                    .or_insert_with(|| spirv(info).expect("a sound kernel compiles"));
                if mutated != *sound {
                    targets.push(Target { op, variant });
                }
            }
        }
        Some(targets)
    }
}

fn validate(module: &naga::Module) -> Option<ModuleInfo> {
    Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP)
        .validate(module)
        .ok()
}

/// The SPIR-V of one kernel with its constants, of nothing that it does not use.
fn spirv(info: &VariantInfo) -> Option<Vec<u32>> {
    use naga::back::{pipeline_constants::process_overrides, spv};
    let module = naga::front::wgsl::parse_str(&info.module()).ok()?;
    let checked = validate(&module)?;
    let constants = info.overrides().iter();
    let constants = constants.map(|(name, value)| (name.to_string(), *value));
    let stage = naga::ShaderStage::Compute;
    let (module, _) = process_overrides(
        &module,
        &checked,
        Some((stage, info.entry)),
        &constants.collect(),
    )
    .ok()?;
    let mut module = module.into_owned();
    naga::compact::compact(&mut module, naga::compact::KeepUnused::No);
    let checked = validate(&module)?;
    let pipeline = spv::PipelineOptions {
        shader_stage: stage,
        entry_point: info.entry.into(),
    };
    let options = spv::Options {
        lang_version: (1, 3),
        ..Default::default()
    };
    spv::write_vec(&module, &checked, &options, Some(&pipeline)).ok()
}

/// An op whose kernels have a fault; all else is the sound op's.
pub struct Mutated {
    op: &'static dyn AnyOp,
    variants: Vec<VariantInfo>,
}

impl Mutated {
    /// Op number `op` of the registry. It lives as long as the process: kernels ask for that.
    pub fn new(mutant: &Mutant, op: usize) -> &'static Mutated {
        let op = REGISTRY[op];
        let change = |info: VariantInfo| VariantInfo {
            shader: mutant.shader(info.shader).unwrap_or(info.shader),
            ..info
        };
        let variants = op.variants().into_iter().map(change).collect();
        Box::leak(Box::new(Mutated { op, variants }))
    }
}

impl AnyOp for Mutated {
    fn name(&self) -> &'static str {
        self.op.name()
    }
    fn bindings(&self) -> &'static [Binding] {
        self.op.bindings()
    }
    fn phase(&self) -> Phase {
        self.op.phase()
    }
    fn uses_step(&self) -> bool {
        self.op.uses_step()
    }
    fn fields(&self) -> &'static [Field] {
        self.op.fields()
    }
    fn variants(&self) -> Vec<VariantInfo> {
        self.variants.clone()
    }
    fn workgroups(&self, variant: usize, params: &[u8]) -> u64 {
        self.op.workgroups(variant, params)
    }
    fn chain(&self, variant: usize, params: &[u8]) -> u64 {
        self.op.chain(variant, params)
    }
    fn supports(&self, variant: usize, params: &[u8], profile: &Profile) -> bool {
        self.op.supports(variant, params, profile)
    }
    fn suits(&self, variant: usize, params: &[u8]) -> bool {
        self.op.suits(variant, params)
    }
    fn lengths(&self, params: &[u8]) -> Vec<usize> {
        self.op.lengths(params)
    }
    fn reference(&self, params: &[u8], step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        self.op.reference(params, step, bindings)
    }
    fn pieces(&self, params: &[u8], elements: usize) -> Vec<Piece<Vec<u8>>> {
        self.op.pieces(params, elements)
    }
    fn cost(&self, params: &[u8]) -> Cost {
        self.op.cost(params)
    }
    fn cases(&self) -> Vec<AnyCase> {
        self.op.cases()
    }
    fn describe(&self, params: &[u8]) -> String {
        self.op.describe(params)
    }
}
