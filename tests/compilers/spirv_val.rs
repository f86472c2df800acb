//! Khronos' SPIR-V validator, under the rules of the Vulkan version that each module is for.

use crate::judge::{self, Verdict};
use crate::translate::{SpirvFor, kernels};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

fn validate(folder: &Path, name: String, target: SpirvFor, words: &[u32]) -> Verdict {
    let path = folder.join(&name);
    judge::write(&path, bytemuck::cast_slice(words));
    let environment = match target {
        SpirvFor::Release | SpirvFor::Checked => "vulkan1.3",
        SpirvFor::CheckedOld => "vulkan1.1",
    };
    let mut command = Command::new("spirv-val");
    let output = judge::run(command.args(["--target-env", environment]).arg(&path));
    judge::verdict(name, &output)
}

#[test]
#[ignore = "needs spirv-tools: run .ci/compilers"]
fn spirv_val_accepts_every_variant() {
    let start = Instant::now();
    let folder = judge::folder("spirv_val");
    let mut verdicts = Vec::new();
    for kernel in kernels() {
        for target in SpirvFor::ALL {
            let words = kernel.spirv(target).expect("SPIR-V");
            let name = format!("{}.{target:?}.spv", kernel.file());
            verdicts.push(validate(&folder, name, target, &words));
        }
    }
    let expected = SpirvFor::ALL.len() * kernels().len();
    judge::all_accepted("spirv-val", start, &verdicts, expected);
    // The control: the type of an addition is replaced by its operand.
    let mut words = kernels()[0].spirv(SpirvFor::Release).expect("SPIR-V");
    let addition = |word: &u32| *word == (5 << 16 | 128);
    let at = words.iter().position(addition).expect("an OpIAdd");
    words[at + 1] = words[at + 3];
    let control = validate(&folder, "control.spv".into(), SpirvFor::Release, &words);
    judge::refused("spirv-val", &control, "is not a type");
}
