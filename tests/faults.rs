//! What a device can do to a run: be lost, run out of memory, lack a feature, reject a kernel.
//! Each is a typed error with its remedy, one line and an exit code of the command; nothing
//! panics or hangs, and what was on the disk before goes on to the bits of an undisturbed run.

mod common;
#[path = "common/run.rs"]
mod run;

use fer_gpu::gpu::{
    Adapter, Batch, Checks, Error, Executor, Gpu, Images, LimitChoice, Tensor, Work,
};
use fer_gpu::network::{Model, Network};
use fer_gpu::ops::adam;
use fer_gpu::ops::reference::Expected;
use fer_gpu::ops::{
    self, AnyCase, AnyOp, Binding, Cost, Family, Field, Phase, Piece, Shader, Step, VariantInfo,
};
use fer_gpu::plan::{self, Options, Plan, Source, Wanted};
use fer_gpu::profile::Profile;
use run::{faces, fer_gpu, resume, same, stderr, succeed, train};
use std::process::Command;
use tempfile::tempdir;

const BATCH: u32 = 2;

fn executor(gpu: &Gpu) -> Executor<'_> {
    let network = Network::find("inception-gap").expect("a network");
    let plan = plan(&network.build(7), BATCH, gpu);
    Executor::new(gpu, plan.expect("a plan"), Checks::Off, &mut |_, _| ()).expect("an executor")
}

/// A step on grey images.
fn batch(pixels: &[f32]) -> Batch<'_> {
    let step = Step::new(1, BATCH, adam::scalars(1e-3, 1));
    Batch::new(Images::Host(pixels), &[0; BATCH as usize], step)
}

fn plan(model: &Model, batch: u32, gpu: &Gpu) -> Result<Plan, plan::Error> {
    let wanted = Wanted::training(batch, [Source::Host; 2]);
    plan::plan(model, &wanted, &Options::new(gpu.profile.clone()))
}

fn pixels() -> Vec<f32> {
    vec![0.5; BATCH as usize * 48 * 48]
}

fn read_all(executor: &Executor) -> Result<(), Error> {
    for index in 0..executor.plan.parameters.len() {
        executor.read_parameter(index, Tensor::Values, |_, _| Ok::<(), Error>(()))?;
    }
    Ok(())
}

fn write_all(executor: &Executor) -> Result<(), Error> {
    for index in 0..executor.plan.parameters.len() {
        executor.write_parameter(index, Tensor::Values, |_, _| Ok::<(), Error>(()))?;
    }
    executor.gpu.check("the weights")
}

/// The call failed because the device is lost, and says so with a remedy.
fn lost<T>(what: &str, outcome: Result<T, Error>) {
    match outcome {
        Err(error @ Error::Lost { .. }) => {
            let text = common::told(&error);
            assert!(text.contains("destroyed"), "{what}: {text}");
            assert!(text.contains("--device"), "{what}: {text}");
        }
        Err(error) => panic!("{what}: {error}"),
        Ok(_) => panic!("{what}: a lost device went unnoticed"),
    }
}

#[test]
fn every_call_on_a_lost_device_says_so() {
    let pixels = pixels();
    for gpu in common::devices(LimitChoice::Native) {
        println!("{}", gpu.info);
        let mut executor = executor(&gpu);
        write_all(&executor).expect("weights");
        executor
            .submit(Work::TRAIN, &batch(&pixels))
            .expect("a step");
        executor.drain().expect("a step");
        gpu.destroy();
        // More often than there are steps in flight: errors use nothing up.
        for _ in 0..5 {
            lost("a step", executor.submit(Work::TRAIN, &batch(&pixels)));
        }
        lost("its metrics", executor.finish_oldest());
        lost("metrics", executor.metrics(Work::TRAIN, BATCH));
        let slowly = executor.submit_slowly(Work::TRAIN, &batch(&pixels), &mut |_, _| ());
        lost("a first step", slowly);
        lost("a dispatch", executor.launch(Work::TRAIN, 0));
        lost("reading weights", read_all(&executor));
        lost("writing weights", write_all(&executor));
        let range = executor.dispatches(Work::TRAIN)[0].bindings[0];
        lost("words", executor.words(&range));
        lost("a buffer", gpu.storage("a buffer", 1024));
        lost("a kernel", gpu.kernel(&ops::add::Add, 0, Checks::On));
        executor.clear_outputs(Work::TRAIN);
        executor.lower_flag(Work::TRAIN);
        let network = Network::find("inception-gap").expect("a network");
        let plan = plan(&network.build(7), 1, &gpu);
        let another = Executor::new(&gpu, plan.expect("a plan"), Checks::Off, &mut |_, _| ());
        lost("another executor", another);
    }
}

#[test]
fn a_device_lost_with_steps_in_flight_is_noticed_by_the_next_one() {
    let pixels = pixels();
    for gpu in common::devices(LimitChoice::Native) {
        for in_flight in 1..=2 {
            // What one test loses, the next opens anew.
            let adapter = Adapter::all()
                .into_iter()
                .find(|adapter| adapter.info == gpu.info)
                .expect("it is still there");
            let gpu = Gpu::open(&adapter, LimitChoice::Native).expect("a device");
            let mut executor = executor(&gpu);
            write_all(&executor).expect("weights");
            for _ in 0..in_flight {
                executor
                    .submit(Work::TRAIN, &batch(&pixels))
                    .expect("a step");
            }
            gpu.destroy();
            lost(
                "the next step",
                executor.submit(Work::TRAIN, &batch(&pixels)),
            );
            lost("what ran", executor.drain());
            lost("saving", read_all(&executor));
        }
    }
}

/// A kernel of another text: everything else is the addition's.
struct Altered {
    name: &'static str,
    shader: &'static Shader,
}

const TEMPLATE: &dyn AnyOp = &ops::add::Add;

impl AnyOp for Altered {
    fn name(&self) -> &'static str {
        self.name
    }
    fn variants(&self) -> Vec<VariantInfo> {
        vec![VariantInfo {
            name: "naive",
            family: Family::Naive,
            twin: None,
            shader: self.shader,
            entry: "main",
            constants: &[],
        }]
    }
    fn bindings(&self) -> &'static [Binding] {
        TEMPLATE.bindings()
    }
    fn phase(&self) -> Phase {
        TEMPLATE.phase()
    }
    fn suits(&self, variant: usize, params: &[u8]) -> bool {
        TEMPLATE.suits(variant, params)
    }
    fn uses_step(&self) -> bool {
        TEMPLATE.uses_step()
    }
    fn fields(&self) -> &'static [Field] {
        TEMPLATE.fields()
    }
    fn workgroups(&self, variant: usize, params: &[u8]) -> u64 {
        TEMPLATE.workgroups(variant, params)
    }
    fn chain(&self, variant: usize, params: &[u8]) -> u64 {
        TEMPLATE.chain(variant, params)
    }
    fn supports(&self, variant: usize, params: &[u8], profile: &Profile) -> bool {
        TEMPLATE.supports(variant, params, profile)
    }
    fn lengths(&self, params: &[u8]) -> Vec<usize> {
        TEMPLATE.lengths(params)
    }
    fn reference(&self, params: &[u8], step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        TEMPLATE.reference(params, step, bindings)
    }
    fn pieces(&self, params: &[u8], elements: usize) -> Vec<Piece<Vec<u8>>> {
        TEMPLATE.pieces(params, elements)
    }
    fn cost(&self, params: &[u8]) -> Cost {
        TEMPLATE.cost(params)
    }
    fn cases(&self) -> Vec<AnyCase> {
        TEMPLATE.cases()
    }
    fn describe(&self, params: &[u8]) -> String {
        TEMPLATE.describe(params)
    }
}

static BROKEN: Altered = Altered {
    name: "broken",
    shader: &Shader {
        file: "broken.wgsl",
        text: "@compute @workgroup_size(1)\nfn main() {\n    let x: f32 = 1u;\n}\n",
        shared: &[],
        written_out: false,
    },
};

static GREEDY: Altered = Altered {
    name: "greedy",
    shader: &Shader {
        file: "greedy.wgsl",
        text: "@compute @workgroup_size(8192)\nfn main() {}\n",
        shared: &[],
        written_out: false,
    },
};

#[test]
fn a_kernel_that_does_not_compile_is_named_with_the_reason() {
    for gpu in common::devices(LimitChoice::Native) {
        for (op, needles) in [(&BROKEN, ["wgsl:3:", "u32"]), (&GREEDY, ["greedy", "8192"])] {
            for checks in [Checks::On, Checks::Off] {
                let outcome = gpu.kernel(op, 0, checks).map(drop);
                let Err(error @ Error::Rejected { .. }) = outcome else {
                    panic!("{}: {outcome:?}", op.name)
                };
                let text = common::told(&error);
                println!("{text}");
                let driver = gpu.info.driver.as_str();
                for needle in [op.name, op.shader.file, driver, "report"]
                    .iter()
                    .chain(&needles)
                {
                    assert!(text.contains(needle), "`{needle}` is not in: {text}");
                }
                assert!(!text.contains(['\n', '│']), "{text}");
            }
        }
        // The device is none the worse for it.
        gpu.kernel(TEMPLATE, 0, Checks::Off).expect("a good kernel");
    }
}

#[test]
fn a_buffer_that_no_adapter_has_room_for_is_refused() {
    for gpu in common::devices(LimitChoice::Native) {
        let bytes = gpu.profile.limits.max_buffer_size + 4;
        let Err(error @ Error::Limit { .. }) = gpu.storage("activations", bytes) else {
            panic!("{bytes} bytes were granted")
        };
        let text = common::told(&error);
        for needle in [&gpu.info.name, "activations", "smaller --batch"] {
            assert!(text.contains(needle), "`{needle}` is not in: {text}");
        }
    }
}

/// Runs what must fail: the exit code, and one line of error that names all needles.
fn fails(mut command: Command, code: i32, needles: &[&str]) {
    let output = command.output().expect("the command runs");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{command:?}: {text}");
    assert!(text.starts_with("error: "), "{command:?}: {text}");
    assert_eq!(text.lines().count(), 1, "{command:?}: {text}");
    println!("{text}");
    for needle in needles {
        assert!(text.contains(needle), "`{needle}` is not in: {text}");
    }
}

/// Loses the device after every n-th of the run's submissions, one run each: while weights are
/// drawn, in the first step, in later ones, in the validation, within each file that is saved.
#[test]
fn a_run_whose_device_is_lost_at_any_moment_resumes_to_the_same_bits() {
    const STRIDE: usize = 7;
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let options = ["--epochs", "2", "--log-steps"];
    let whole = folder.path().join("whole");
    let mut command = train(&data, &options);
    command.arg("--out").arg(&whole);
    succeed(command);
    let (mut lost, mut resumed) = (0, 0);
    for at in (1..).step_by(STRIDE) {
        let out = folder.path().join(format!("lost-{at}"));
        let mut command = train(&data, &options);
        command.arg("--out").arg(&out);
        command.env("FER_GPU_LOSE_DEVICE_AT", at.to_string());
        let saved = || out.join("resume.safetensors").exists();
        let output = command.output().expect("the command runs");
        if output.status.success() {
            break;
        }
        lost += 1;
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "submission {at}: {text}");
        let errors = text.lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "submission {at}: {text}");
        assert!(text.contains("was lost in"), "submission {at}: {text}");
        let partial =
            |entry: std::fs::DirEntry| entry.path().extension() == Some("partial".as_ref());
        let mut left = std::fs::read_dir(&out).into_iter().flatten();
        assert!(!left.any(|entry| partial(entry.expect("an entry"))));
        if saved() {
            assert!(text.contains("--resume"), "submission {at}: {text}");
            resume(&out, &[]);
            same(&whole, &out);
            resumed += 1;
        }
    }
    assert!(
        lost >= 25 && resumed >= 10,
        "{lost} lost, {resumed} resumed"
    );
}

/// The first of the adapters with this nickname, as a value of `--device`.
fn device(nickname: &str) -> Option<String> {
    let all = Adapter::all();
    let found = all.iter().find(|a| a.info.nickname() == nickname);
    if found.is_none() {
        println!("skipped: no {nickname} here");
    }
    found.map(|adapter| adapter.index.to_string())
}

/// The large network where the process may have far less memory than it takes.
#[test]
#[cfg(target_os = "linux")]
fn lack_of_memory_ends_a_run_before_anything_is_written() {
    let Some(device) = device("lavapipe") else {
        return;
    };
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let out = folder.path().join("run");
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 1500000 && exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_fer-gpu"))
        .args(["train", "--batch", "16", "--device", &device, "--data"])
        .arg(&data)
        .arg("--out")
        .arg(&out);
    fails(command, 2, &["ran out of memory (", "smaller --batch"]);
    assert!(!out.exists());
}

/// Mesa pretends to be an OpenGL of before compute shaders.
#[test]
#[cfg(target_os = "linux")]
fn an_adapter_that_lacks_a_feature_is_named_with_it() {
    if device("gl").is_none() {
        return;
    }
    let old = |arguments: &[&str]| {
        let mut command = fer_gpu();
        command
            .env("MESA_GL_VERSION_OVERRIDE", "3.0")
            .env("MESA_GLES_VERSION_OVERRIDE", "3.0")
            .args(arguments);
        command
    };
    let needles = ["gl", "lacks compute shaders", "update its driver"];
    fails(old(&["train", "--device", "gl"]), 2, &needles);
    // The only one.
    let mut command = old(&["train"]);
    command
        .env("VK_DRIVER_FILES", "/none")
        .env("VK_ICD_FILENAMES", "/none");
    fails(command, 2, &needles);
    // Planning needs none.
    let mut command = old(&["plan"]);
    command
        .env("VK_DRIVER_FILES", "/none")
        .env("VK_ICD_FILENAMES", "/none");
    assert!(command.output().expect("the command runs").status.success());
}

#[test]
fn a_run_goes_on_where_its_kernels_do_not_and_says_so() {
    let all = Adapter::all();
    let has_subgroups = |a: &&Adapter| {
        let profile = a.profile(LimitChoice::Native);
        profile.has_subgroup(8) && profile.class == fer_gpu::profile::Class::Software
    };
    let Some(adapter) = all.iter().find(has_subgroups) else {
        println!("skipped: no adapter here would choose a kernel with subgroups");
        return;
    };
    let device = adapter.index.to_string();
    let folder = tempdir().expect("a folder");
    let data = faces(folder.path(), 16, 8);
    let out = folder.path().join("run");
    let mut command = train(&data, &["--epochs", "1", "--device", &device, "--out"]);
    command.arg(&out);
    succeed(command);
    let resumed = |epochs: &str, limits: &str| {
        let mut command = fer_gpu();
        command
            .args(["train", "--epochs", epochs, "--device", &device])
            .args(["--limits", limits, "--resume"])
            .arg(&out);
        let output = command.output().expect("the command runs");
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    assert!(!resumed("2", "native").contains("note: "));
    let text = resumed("3", "webgpu");
    let note = text.lines().find(|line| line.starts_with("note: "));
    assert!(note.is_some_and(|n| n.contains("subgroup")), "{text}");
}
