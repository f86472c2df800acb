//! Host and shader in step: what naga reads from every WGSL file must be what the ops declare.

use fer_gpu::ops::params::{Field, Params, Scalar, Step};
use fer_gpu::ops::{Access, AnyOp, REGISTRY, VariantInfo};
use naga::{AddressSpace, Handle, Module, ShaderStage, StorageAccess, Type, TypeInner};
use std::collections::{BTreeMap, BTreeSet};

fn parse(file: &str, text: &str) -> Module {
    naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|e| panic!("{file}: {}", e.emit_to_string(text)))
}

/// Every (op, variant) with its module, parsed once a text.
fn variants() -> Vec<(&'static dyn AnyOp, VariantInfo, std::rc::Rc<Module>)> {
    let mut modules = BTreeMap::new();
    let mut all = Vec::new();
    for &op in REGISTRY {
        for variant in op.variants() {
            let text = variant.module();
            let parsed = || std::rc::Rc::new(parse(variant.shader.file, &text));
            let module = modules.entry(text.clone()).or_insert_with(parsed).clone();
            all.push((op, variant, module));
        }
    }
    all
}

/// Global variables that an entry point uses, by binding.
fn globals(module: &Module, entry: &str) -> BTreeMap<u32, Handle<naga::GlobalVariable>> {
    let info = naga::valid::Validator::new(
        naga::valid::ValidationFlags::all(),
        naga::valid::Capabilities::all(),
    )
    .validate(module)
    .expect("a valid module");
    let index = module
        .entry_points
        .iter()
        .position(|e| e.name == entry)
        .expect("the entry point");
    let uses = info.get_entry_point(index);
    module
        .global_variables
        .iter()
        .filter(|(handle, _)| !uses[*handle].is_empty())
        .filter_map(|(handle, variable)| {
            let binding = variable.binding?;
            assert_eq!(binding.group, 0, "{entry}: all bindings lie in group 0");
            Some((binding.binding, handle))
        })
        .collect()
}

fn same_fields(module: &Module, ty: Handle<Type>, fields: &[Field], what: &str) {
    let TypeInner::Struct { members, .. } = &module.types[ty].inner else {
        panic!("{what} is no struct")
    };
    let shader: Vec<(String, usize, Scalar)> = members
        .iter()
        .map(|member| {
            let scalar = match module.types[member.ty].inner {
                TypeInner::Scalar(naga::Scalar::U32) => Scalar::U32,
                TypeInner::Scalar(naga::Scalar::F32) => Scalar::F32,
                ref other => panic!("{what}: {:?} is {other:?}", member.name),
            };
            (
                member.name.clone().expect("a name"),
                member.offset as usize,
                scalar,
            )
        })
        .collect();
    let host: Vec<(String, usize, Scalar)> = fields
        .iter()
        .map(|f| (f.name.into(), f.offset, f.scalar))
        .collect();
    assert_eq!(shader, host, "{what}: fields in WGSL and in Rust");
}

#[test]
fn parameter_blocks_and_bindings_agree() {
    for (op, variant, module) in variants() {
        let what = format!("{} ({}, {})", op.name(), variant.name, variant.shader.file);
        let globals = globals(&module, variant.entry);
        let uniforms = 1 + u32::from(op.uses_step());
        for binding in 0..uniforms {
            // A kernel that needs no parameter still gets them; the layout has room.
            let Some(&handle) = globals.get(&binding) else {
                continue;
            };
            let variable = &module.global_variables[handle];
            assert_eq!(
                variable.space,
                AddressSpace::Uniform,
                "{what}: binding {binding}"
            );
            let fields = if binding == 0 {
                op.fields()
            } else {
                Step::FIELDS
            };
            same_fields(&module, variable.ty, fields, &what);
        }
        let storage: BTreeSet<u32> = globals.keys().copied().filter(|&b| b >= uniforms).collect();
        let declared: BTreeSet<u32> = (0..op.bindings().len() as u32)
            .map(|i| uniforms + i)
            .collect();
        assert_eq!(storage, declared, "{what}: storage bindings");
        assert!(
            storage.len() <= 8,
            "{what}: {} storage buffers, WebGPU grants 8",
            storage.len()
        );
        for (i, binding) in op.bindings().iter().enumerate() {
            let variable = &module.global_variables[globals[&(uniforms + i as u32)]];
            let AddressSpace::Storage { access } = variable.space else {
                panic!("{what}: {} is no storage", binding.name)
            };
            let writes = binding.access != Access::Read;
            assert_eq!(
                access.contains(StorageAccess::STORE),
                writes,
                "{what}: access of {}",
                binding.name
            );
            if variant.name == "naive" {
                assert_eq!(
                    variable.name.as_deref(),
                    Some(binding.name),
                    "{what}: name of binding {i}"
                );
            }
        }
    }
}

#[test]
fn overrides_are_the_constants_of_the_variant() {
    for (op, variant, module) in variants() {
        let what = format!("{} {}", op.name(), variant.name);
        // What follows from others has a value of its own.
        let given = module.overrides.iter().filter(|(_, o)| o.init.is_none());
        let mut shader: BTreeSet<String> = given.filter_map(|(_, o)| o.name.clone()).collect();
        if variant.shader.written_out {
            assert!(shader.is_empty(), "{what}: {shader:?} are no constants");
            let text = variant.shader.module();
            let declared = text.lines().filter_map(|l| l.strip_prefix("override "));
            let names = declared.filter_map(|rest| rest.split_once(':'));
            shader = names.map(|(name, _)| name.into()).collect();
        }
        let host = variant.constants.iter().map(|(name, _)| name.to_string());
        assert_eq!(shader, host.collect(), "{what}: override constants");
    }
}

/// The module with the variant's constants in place.
fn sized(module: &Module, variant: &VariantInfo) -> Module {
    let (flags, all) = (
        naga::valid::ValidationFlags::all(),
        naga::valid::Capabilities::all(),
    );
    let info = naga::valid::Validator::new(flags, all).validate(module);
    let constants = variant
        .overrides()
        .iter()
        .map(|&(name, value)| (name.to_string(), value));
    let entry = Some((ShaderStage::Compute, variant.entry));
    let info = info.expect("a valid module");
    naga::back::pipeline_constants::process_overrides(module, &info, entry, &constants.collect())
        .expect("constants that naga takes")
        .0
        .into_owned()
}

/// wgpu does not look at it: a kernel that takes more would write where it must not. 16 KiB are
/// what WebGPU grants, and adapters with less are refused.
#[test]
fn workgroup_memory_fits_every_adapter() {
    for (op, variant, module) in variants() {
        let module = sized(&module, &variant);
        let bytes_of = |(_, variable): (_, &naga::GlobalVariable)| -> u32 {
            match variable.space {
                AddressSpace::WorkGroup => module.types[variable.ty].inner.size(module.to_ctx()),
                _ => 0,
            }
        };
        let bytes: u32 = module.global_variables.iter().map(bytes_of).sum();
        assert!(bytes <= 16 << 10, "{} {}: {bytes}", op.name(), variant.name);
    }
}

#[test]
fn every_entry_point_has_an_op_and_every_file_a_user() {
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut files = BTreeSet::new();
    for (_, variant, module) in variants() {
        used.entry(variant.shader.file)
            .or_default()
            .insert(variant.entry);
        files.insert(variant.shader.file);
        files.extend(variant.shader.shared.iter().map(|shader| shader.file));
        for entry in &module.entry_points {
            assert_eq!(entry.stage, ShaderStage::Compute);
        }
    }
    for (_, variant, module) in variants() {
        let written: BTreeSet<&str> = module
            .entry_points
            .iter()
            .map(|e| e.name.as_str())
            .collect();
        assert_eq!(
            written, used[variant.shader.file],
            "{}: entry points in WGSL and in the registry",
            variant.shader.file
        );
    }
    let folder = format!("{}/shaders", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(folder).expect("the shaders") {
        let name = entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("a name");
        assert!(files.contains(name.as_str()), "{name} belongs to no op");
    }
}

#[test]
fn names_are_unique_and_every_op_has_cases() {
    let names: BTreeSet<&str> = REGISTRY.iter().map(|op| op.name()).collect();
    assert_eq!(names.len(), REGISTRY.len());
    for op in REGISTRY {
        let cases: Vec<String> = op.cases().into_iter().map(|c| c.name).collect();
        assert!(!cases.is_empty(), "{} has no cases", op.name());
        assert_eq!(
            cases.iter().collect::<BTreeSet<_>>().len(),
            cases.len(),
            "{}: case names repeat",
            op.name()
        );
        let variants: BTreeSet<&str> = op.variants().iter().map(|v| v.name).collect();
        assert_eq!(
            variants.len(),
            op.variants().len(),
            "{}: variant names repeat",
            op.name()
        );
    }
}

/// naga turns `&&` and `||` into branches. In the tiles that inline such code many times over that
/// cost SwiftShader minutes and gigabytes to compile; `&` and `|` of bools cost nothing.
#[test]
fn values_are_no_branches() {
    let folder = format!("{}/shaders", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(folder).expect("the shaders") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a shader");
        for (i, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line).trim_start();
            let branches = code.contains("&&") || code.contains("||");
            let condition = code.starts_with("if ") || code.starts_with("} else if ");
            assert!(
                !branches || condition,
                "{}:{}: {line}",
                path.display(),
                i + 1
            );
        }
    }
}
