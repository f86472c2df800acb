//! Every plan of the box as text, in tests/snapshots: a change of the machinery that is to leave
//! the plans as they are shows there if it does not, dispatch by dispatch.
//!
//! FER_GPU_BLESS=1 cargo test --test snapshots   writes them anew; the diff is what changed.

use fer_gpu::network::NETWORKS;
use fer_gpu::plan::{self, ColumnRange, Dispatch, Options, Plan, Source, Storage, Wanted};
use fer_gpu::profile::{Class, Limits, Profile};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Networks whose every plan is kept. More would say little more in many lines.
const SEED: [&str; 2] = ["inception", "inception-gap"];

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

fn storage(plan: &Plan, storage: &Storage) -> String {
    // As it was written before there were regions.
    let buffers = |region: usize| {
        let region = &plan.regions[region];
        let mut all = vec![region.values];
        all.extend(&region.slots);
        all
    };
    match storage {
        Storage::Flat { region, offset } => {
            format!(
                "Flat {{ buffers: {:?}, offset: {offset} }}",
                buffers(*region)
            )
        }
        Storage::Columns(range) => {
            let ColumnRange {
                region,
                offset,
                first,
                columns,
            } = range;
            format!(
                "Columns {{ buffers: {:?}, offset: {offset}, first: {first}, columns: {columns} }}",
                buffers(*region)
            )
        }
        Storage::Panels {
            k,
            n,
            pixels,
            windows,
        } => {
            let windows: Vec<String> = windows
                .iter()
                .map(|w| {
                    format!(
                        "PanelWindow {{ buffers: {:?}, offset: {}, first_panel: {}, panels: {} }}",
                        buffers(w.region),
                        w.offset,
                        w.first_panel,
                        w.panels
                    )
                })
                .collect();
            format!(
                "Panels {{ k: {k}, n: {n}, pixels: {pixels}, windows: [{}] }}",
                windows.join(", ")
            )
        }
    }
}

fn text(plan: &Plan) -> String {
    let mut text = format!("{}, batch {}\n", plan.model, plan.programs[0].batch);
    for one in &plan.programs {
        program(&mut text, plan, one.name, &one.dispatches);
    }
    writeln!(text, "\nbuffers").expect("text");
    for buffer in &plan.buffers {
        writeln!(text, "    {}, {}", buffer.name, buffer.bytes).expect("text");
    }
    writeln!(text, "\nparameters").expect("text");
    for parameter in &plan.parameters {
        let (name, shape) = (&parameter.name, &parameter.shape);
        let storage = storage(plan, &parameter.storage);
        writeln!(text, "    {name} {shape}: {storage}").expect("text");
    }
    text
}

/// Every plan, by the name of its file.
fn plans() -> Vec<(String, String)> {
    let mut plans = Vec::new();
    for network in NETWORKS.iter().filter(|n| SEED.contains(&n.name.as_str())) {
        for (kind, profile) in profiles() {
            for (fuse_update, in_place) in [(true, true), (false, true), (true, false)] {
                let mut options = Options::new(profile.clone());
                options.schedule.fuse_update = fuse_update;
                options.concat_in_place = in_place;
                let of = |set, rows| Source::Device {
                    set,
                    rows,
                    scale: 1.0 / 255.0,
                };
                let sources = [
                    of("training images", 28_709),
                    of("validation images", 7_178),
                ];
                let wanted = Wanted::training(64, sources);
                let plan = plan::plan(&network.build(7), &wanted, &options).expect("a plan");
                let adam = if fuse_update { "" } else { "-adam-apart" };
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
