//! Every plan of the box as text, in tests/snapshots: a change of the machinery that is to leave
//! the plans as they are shows there if it does not, dispatch by dispatch.
//!
//! FER_GPU_BLESS=1 cargo test --test snapshots   writes them anew; the diff is what changed.

use fer_gpu::network::NETWORKS;
use fer_gpu::plan::{self, DataSource, Dispatch, Options, Plan};
use fer_gpu::profile::{Class, Limits, Profile};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");

/// A large GPU, a software adapter with subgroups of eight, and WebGPU's defaults.
fn profiles() -> [(&'static str, Profile); 3] {
    let native = |class, subgroup, max_storage_binding| Profile {
        name: "an adapter".into(),
        class,
        limits: Limits {
            max_buffer_size: 4 << 30,
            max_storage_binding,
            ..Limits::WEBGPU
        },
        subgroup,
    };
    [
        ("gpu", native(Class::Gpu, Some(32), 2 << 30)),
        ("software", native(Class::Software, Some(8), 128 << 20)),
        ("webgpu", Profile::webgpu(Class::Software)),
    ]
}

fn program(text: &mut String, plan: &Plan, name: &str, dispatches: &[Dispatch]) {
    writeln!(text, "\n{name}").expect("text");
    for (i, dispatch) in dispatches.iter().enumerate() {
        let (op, variant) = (dispatch.op.name(), dispatch.variant_name());
        let params = dispatch.op.describe(&dispatch.params);
        writeln!(text, "{i:3} {}: {op} {variant} {params}", dispatch.label).expect("text");
        for (binding, range) in dispatch.op.bindings().iter().zip(&dispatch.bindings) {
            let buffer = &plan.buffers[range.buffer].name;
            let (offset, bytes) = (range.offset, range.bytes);
            writeln!(
                text,
                "      {} = {buffer} + {offset}, {bytes}",
                binding.name
            )
            .expect("text");
        }
    }
}

fn text(plan: &Plan) -> String {
    let mut text = format!("{}, batch {}\n", plan.model, plan.batch);
    program(&mut text, plan, "train", &plan.train);
    program(&mut text, plan, "evaluate", &plan.evaluate);
    writeln!(text, "\nbuffers").expect("text");
    for buffer in &plan.buffers {
        writeln!(text, "    {}, {}", buffer.name, buffer.bytes).expect("text");
    }
    writeln!(text, "\nparameters").expect("text");
    for parameter in &plan.parameters {
        writeln!(
            text,
            "    {} {}: {:?}",
            parameter.name, parameter.shape, parameter.storage
        )
        .expect("text");
    }
    text
}

/// Every plan, by the name of its file.
fn plans() -> Vec<(String, String)> {
    let mut plans = Vec::new();
    for network in NETWORKS {
        for (kind, profile) in profiles() {
            for (fuse_adam, in_place) in [(true, true), (false, true), (true, false)] {
                let mut options = Options::new(profile.clone());
                options.schedule.fuse_adam = fuse_adam;
                options.concat_in_place = in_place;
                options.data = DataSource::Device {
                    train_rows: 28_709,
                    test_rows: 7_178,
                    scale: 1.0 / 255.0,
                };
                let plan = plan::plan(network.build(64, 7), &options).expect("a plan");
                let adam = if fuse_adam { "" } else { "-adam-apart" };
                let concat = if in_place { "" } else { "-concat-copied" };
                let name = format!("{}-{kind}{adam}{concat}.txt", network.name);
                plans.push((name, text(&plan)));
            }
        }
    }
    plans
}

#[test]
fn the_plans_are_those_of_the_snapshots() {
    let plans = plans();
    if std::env::var_os("FER_GPU_BLESS").is_some() {
        fs::create_dir_all(FOLDER).expect("a folder");
        for (name, text) in &plans {
            fs::write(Path::new(FOLDER).join(name), text).expect("written");
        }
    }
    for (name, text) in &plans {
        let path = Path::new(FOLDER).join(name);
        let kept = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut lines = kept.lines().zip(text.lines()).enumerate();
        if let Some((line, (was, is))) = lines.find(|(_, (was, is))| was != is) {
            panic!("{name}:{}\n  was {was}\n  is  {is}", line + 1);
        }
        assert_eq!(kept.lines().count(), text.lines().count(), "{name}");
    }
    let files = fs::read_dir(FOLDER).expect("a folder").count();
    assert_eq!(files, plans.len(), "files in {FOLDER}");
}
