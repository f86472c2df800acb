//! The vendors' compilers, judging every entry point in every variant without their hardware.
//!
//! ```text
//! translate   (op, variant, constants) -> naga module without overrides -> SPIR-V, HLSL, GLSL, MSL
//! judge       what a judge said of each shader; counts, so that none is silently left out
//! spirv_val   Khronos' validator, on SPIR-V          dxc     Microsoft's compiler, on HLSL
//! metal       clang as a stand-in for Apple's, on MSL    tint    Chrome's, on our WGSL
//! mesa        NVIDIA's, Apple's, Qualcomm's, AMD's and ARM's in Mesa, on SPIR-V: registers, spills, occupancy and
//!             loops against a table; the plans that such adapters get
//! ```
//!
//! Plain `cargo test` runs the tests of this file: naga's validation and writers. The judges need
//! tools; `.ci/compilers` installs them and runs those tests. Each judge is also handed a broken
//! shader: one that accepts everything fails.

mod dxc;
mod judge;
mod mesa;
mod metal;
mod spirv_val;
mod tint;
mod translate;

use fer_gpu::gpu::Checks;
use fer_gpu::ops::REGISTRY;
use naga::back::hlsl::ShaderModel;
use translate::{Kernel, SpirvFor, kernels};

/// Fails with every kernel that a writer refused.
fn written<T>(language: &str, write: impl Fn(&Kernel) -> Vec<Result<T, String>>) {
    let mut failures = Vec::new();
    for kernel in kernels() {
        let refusals = write(kernel).into_iter().filter_map(Result::err);
        failures.extend(refusals.map(|message| format!("{kernel}: {message}")));
    }
    assert!(
        failures.is_empty(),
        "naga cannot write {language} for\n{}",
        failures.join("\n")
    );
}

/// The translation itself validates with the capabilities of WebGPU alone (and subgroups in the
/// files that are for them); this counts that nothing was left out.
#[test]
fn naga_validates_every_variant() {
    let variants: usize = REGISTRY.iter().map(|op| op.variants().len()).sum();
    assert_eq!(kernels().len(), variants);
    assert!(kernels().iter().any(|kernel| kernel.subgroups));
}

#[test]
fn spirv_is_written_for_every_variant() {
    written("SPIR-V", |kernel| {
        SpirvFor::ALL.map(|target| kernel.spirv(target)).into()
    });
}

#[test]
fn hlsl_is_written_for_every_variant() {
    written("HLSL", |kernel| {
        [Checks::On, Checks::Off]
            .map(|checks| kernel.hlsl(ShaderModel::V6_0, checks))
            .into()
    });
}

#[test]
fn msl_is_written_for_every_variant() {
    written("MSL", |kernel| {
        [Checks::On, Checks::Off]
            .map(|checks| kernel.msl(checks))
            .into()
    });
}

/// Subgroup kernels excepted: wgpu offers no subgroups through GL, so the plan cannot choose them.
#[test]
fn glsl_es_is_written_for_every_variant_without_subgroups() {
    written("GLSL ES 3.1", |kernel| {
        if kernel.subgroups {
            return Vec::new();
        }
        [Checks::On, Checks::Off]
            .map(|checks| kernel.glsl(checks))
            .into()
    });
}
