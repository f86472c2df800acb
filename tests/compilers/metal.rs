//! naga's MSL under clang, as a stand-in for Apple's compiler, which runs on Apple's systems only.
//!
//! MSL 2.4 is C++14 with additions. clang parses it as C++14 against metal/metal_stdlib, which
//! declares what naga's MSL of our kernels uses. So this checks syntax, names (a variable named
//! like a keyword or a function of the library), types, arity and overloads, initialisers, missing
//! returns of values, and that nothing is written to uniforms or read-only buffers. It does not
//! check address spaces, attributes (bindings, built-ins, workgroup sizes), anything that Apple's
//! library has and the stand-in has differently, or Apple's code generation.

use crate::judge::{self, Verdict};
use crate::translate::kernels;
use fer_gpu::gpu::Checks;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Writes to a uniform, and multiplies what cannot be multiplied.
const CONTROL: &str = "
#include <metal_stdlib>
kernel void control(constant uint& words [[buffer(0)]], device metal::float4& y [[buffer(1)]]) {
    words = 1u;
    y = y * metal::uint4(2u);
}
";

fn check(folder: &Path, name: String, text: &str) -> Verdict {
    let path = folder.join(&name);
    judge::write(&path, text);
    let mut clang = Command::new("clang");
    clang
        .args(["-x", "c++", "-std=c++14", "-fsyntax-only", "-nostdinc"])
        .args(["-Wno-unknown-attributes", "-Werror=return-type", "-I"])
        .args([&judge::source("metal"), &path]);
    judge::verdict(name, &judge::run(&mut clang))
}

#[test]
#[ignore = "needs clang: run .ci/compilers"]
fn clang_accepts_the_msl_of_every_variant() {
    let start = Instant::now();
    let folder = judge::folder("metal");
    let mut verdicts = Vec::new();
    for kernel in kernels() {
        for checks in [Checks::Off, Checks::On] {
            let name = format!("{}.{}.metal", kernel.file(), judge::mode(checks));
            let text = kernel.msl(checks).expect("MSL");
            verdicts.push(check(&folder, name, &text));
        }
    }
    judge::all_accepted("clang (MSL)", start, &verdicts, 2 * kernels().len());
    let control = check(&folder, "control.metal".into(), CONTROL);
    judge::refused("clang (MSL)", &control, "cannot assign to");
    judge::refused("clang (MSL)", &control, "invalid operands");
}
