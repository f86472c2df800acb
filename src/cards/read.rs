//! The tables of a text -> cards: which keys there are, and what each may be.

use super::{Card, Error};
use crate::documents::{At, Fault, Is, Span, Table};
use crate::profile::{Class, Limits, Profile};
use glob::Pattern;
use serde_json::Value;
use std::collections::BTreeMap;

/// What every card must tell.
pub const FIGURES: [&str; 4] = ["fp32_tflops", "memory_gb_s", "compute_units", "launch_us"];

const CARD: &[&str] = &[
    "name", "adapters", "class", FIGURES[0], FIGURES[1], FIGURES[2], FIGURES[3], "subgroup",
    "limits", "sources",
];

const LIMITS: &[&str] = &[
    "max_buffer_size",
    "max_storage_binding",
    "storage_offset_alignment",
    "max_workgroups_per_dimension",
    "max_invocations",
    "max_workgroup_memory",
    "max_storage_buffers",
];

/// Figures beyond this are mistaken units.
const LARGEST: f64 = 1e6;

/// The widest subgroup that WebGPU knows.
const WIDEST: u64 = 128;

/// Every table of a text is a card, called as its header says.
pub fn all(origin: &str, text: &str) -> Result<Vec<Card>, Error> {
    let read = || {
        let mut document = Table::parse(text)?;
        let keys = document.json();
        let read = |key: &String| {
            let value = document.take(key).expect("one of its keys");
            card(key, table(value, key)?)
        };
        keys.keys().map(read).collect::<Result<Vec<_>, Fault>>()
    };
    read().map_err(|fault| Error::text(origin, text, fault))
}

/// A text that is one card.
pub fn one(origin: &str, text: &str) -> Result<Card, Error> {
    let read = || card(origin, Table::parse(text)?);
    read().map_err(|fault| Error::text(origin, text, fault))
}

fn card(key: &str, mut table: Table) -> Result<Card, Fault> {
    let at = table.span.clone();
    let unknown = {
        let mut rest = table.clone();
        CARD.iter().for_each(|key| drop(rest.take(key)));
        rest.finish("a card", CARD)
    };
    unknown?;
    let name = table
        .word("name")?
        .ok_or_else(|| missing("a card", "name", CARD, &at))?;
    if name.is.is_empty() || name.is.contains(char::is_control) {
        return Err(Fault::new("`name` is one line", &name.span));
    }
    let [tflops, memory, units, launch] = FIGURES;
    let flops = 1e12 * figure(&mut table, tflops, &at)?;
    let bytes = 1e9 * figure(&mut table, memory, &at)?;
    let compute_units = count(&mut table, units, 1 << 20)?;
    let compute_units = compute_units.ok_or_else(|| missing("a card", units, CARD, &at))?;
    let launch = 1e-6 * figure(&mut table, launch, &at)?;
    let profile = Profile {
        name: name.is,
        class: class(&mut table)?,
        limits: limits(&mut table)?,
        subgroup: count(&mut table, "subgroup", WIDEST)?.map(|width| width as u32),
    };
    Ok(Card {
        key: key.into(),
        profile,
        adapters: adapters(&mut table)?,
        flops,
        bytes,
        compute_units: compute_units as u32,
        launch,
        sources: sources(&mut table)?,
    })
}

fn missing(what: &str, key: &str, known: &[&str], at: &Span) -> Fault {
    let fault = Fault::new(format!("{what} needs `{key}`"), at);
    fault.help(format!("there are {}", known.join(", ")))
}

fn table(value: At<Is>, key: &str) -> Result<Table, Fault> {
    match value.is {
        Is::Table(table) => Ok(table),
        _ => Err(value.needed(key, "a table")),
    }
}

/// A positive number that must be there.
fn figure(table: &mut Table, key: &str, at: &Span) -> Result<f64, Fault> {
    let value = table
        .take(key)
        .ok_or_else(|| missing("a card", key, CARD, at))?;
    let number = match &value.is {
        Is::Plain(Value::Number(number)) => number.as_f64(),
        _ => None,
    };
    number
        .filter(|number| *number > 0.0 && *number <= LARGEST)
        .ok_or_else(|| value.needed(key, &format!("a number above 0, at most {LARGEST},")))
}

/// A count from one, where it is given.
fn count(table: &mut Table, key: &str, most: u64) -> Result<Option<u64>, Fault> {
    let Some(value) = table.take(key) else {
        return Ok(None);
    };
    let number = match &value.is {
        Is::Plain(Value::Number(number)) => number.as_u64(),
        _ => None,
    };
    match number.filter(|number| (1..=most).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(value.needed(key, &format!("an integer from 1 to {most}"))),
    }
}

/// A GPU, if nothing else is said.
fn class(table: &mut Table) -> Result<Class, Fault> {
    let Some(word) = table.word("class")? else {
        return Ok(Class::Gpu);
    };
    match word.is.as_str() {
        "gpu" => Ok(Class::Gpu),
        "software" => Ok(Class::Software),
        other => {
            let fault = Fault::new(format!("there is no class `{other}`"), &word.span);
            let fault = fault.help("there are gpu, software");
            Err(fault.meant(other, ["gpu", "software"]))
        }
    }
}

/// WebGPU's defaults where the card tells no others: none may be less, since every device grants these.
fn limits(card: &mut Table) -> Result<Limits, Fault> {
    let mut limits = Limits::WEBGPU;
    let Some(value) = card.take("limits") else {
        return Ok(limits);
    };
    let mut table = table(value, "limits")?;
    let large = |table: &mut Table, key, least| at_least(table, key, least, 1 << 52);
    let small = |table: &mut Table, key, least: u32| {
        let value = at_least(table, key, least.into(), u32::MAX.into());
        value.map(|number| number as u32)
    };
    let [
        buffer,
        binding,
        alignment,
        groups,
        invocations,
        memory,
        buffers,
    ] = LIMITS
    else {
        unreachable!("seven limits");
    };
    limits.max_buffer_size = large(&mut table, buffer, limits.max_buffer_size)?;
    limits.max_storage_binding = large(&mut table, binding, limits.max_storage_binding)?;
    limits.max_workgroups_per_dimension =
        small(&mut table, groups, limits.max_workgroups_per_dimension)?;
    limits.max_invocations = small(&mut table, invocations, limits.max_invocations)?;
    limits.max_workgroup_memory = small(&mut table, memory, limits.max_workgroup_memory)?;
    limits.max_storage_buffers = small(&mut table, buffers, limits.max_storage_buffers)?;
    if let Some(at) = table.value(alignment).cloned() {
        let most = limits.storage_offset_alignment;
        let wanted = count(&mut table, alignment, most)?.filter(|n| n.is_power_of_two() && *n >= 4);
        limits.storage_offset_alignment = wanted.ok_or_else(|| {
            Fault::new(
                format!("`{alignment}` is a power of two from 4 to {most}"),
                &at,
            )
        })?;
    }
    table.finish("`limits`", LIMITS)?;
    Ok(limits)
}

/// A limit, which no device has less of than WebGPU grants.
fn at_least(table: &mut Table, key: &str, least: u64, most: u64) -> Result<u64, Fault> {
    let Some(at) = table.value(key).cloned() else {
        return Ok(least);
    };
    let value = count(table, key, most)?.filter(|value| *value >= least);
    value.ok_or_else(|| {
        let fault = Fault::new(format!("`{key}` is less than every WebGPU device has"), &at);
        fault.label(format!("{least} at the least"))
    })
}

/// Globs, none if nothing is said.
fn adapters(table: &mut Table) -> Result<Vec<Pattern>, Fault> {
    let Some(value) = table.take("adapters") else {
        return Ok(Vec::new());
    };
    let Is::List(items) = value.is else {
        return Err(value.needed("adapters", "a list of words in quotes"));
    };
    let pattern = |item: At<Is>| {
        let word = item.word("adapters")?;
        let no_glob = |error: glob::PatternError| format!("this is no glob: {}", error.msg);
        Pattern::new(&word.is).map_err(|error| Fault::new(no_glob(error), &word.span))
    };
    items.into_iter().map(pattern).collect()
}

/// Words, by the key that they speak of.
fn sources(card: &mut Table) -> Result<BTreeMap<String, String>, Fault> {
    let Some(value) = card.take("sources") else {
        return Ok(BTreeMap::new());
    };
    let mut table = table(value, "sources")?;
    let mut sources = BTreeMap::new();
    for key in CARD {
        if let Some(word) = table.word(key)? {
            sources.insert(key.to_string(), word.is);
        }
    }
    table.finish("`sources`", CARD)?;
    Ok(sources)
}
