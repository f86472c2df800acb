//! The tables of a text -> layers that know whom they read, in an order in which they can be computed, and the
//! heads: all that can be said before shapes are known.

use super::blocks::What;
use super::{names, order};
use crate::documents::{At, Fault, Is, Span, Table};
use serde_json::Value;
use std::collections::HashMap;

/// What the image is called by layers that read it.
pub(super) const IMAGE: &str = "image";

/// Layers that a text may have, blocks counted as one.
const MOST_LAYERS: usize = 4096;

/// Pixels along a side, and channels; and all numbers of an image.
const LARGEST_IMAGE: u64 = 1 << 14;
const LARGEST_WHOLE: u64 = 1 << 28;

const DOCUMENT: &[&str] = &["name", "about", "image", "layer", "head"];
const HEAD: &[&str] = &["layer", "weight", "name"];

/// A network as its text says it.
#[derive(Clone, Debug)]
pub(in crate::network) struct Definition {
    pub name: String,
    pub about: String,
    pub image: [u32; 3],
    /// In the text's order.
    pub(super) layers: Vec<Entry>,
    /// Numbers of layers, each behind those that it reads.
    pub(super) order: Vec<usize>,
    /// The first is that of the last layer.
    pub(super) heads: Vec<HeadEntry>,
}

/// A layer or block of the text.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: String,
    /// Its name, or where it has none its type.
    pub at: Span,
    pub kind: At<String>,
    pub inputs: Vec<At<Source>>,
    pub what: What,
    /// What was written, as places.
    pub table: Table,
    /// Does it make the logits of a head?
    pub is_head: bool,
}

/// Whom a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Image,
    /// By its number in the text.
    Layer(usize),
}

/// Where a network says what it sees.
#[derive(Clone, Debug)]
pub(super) struct HeadEntry {
    /// Empty for the first.
    pub name: String,
    pub layer: usize,
    pub weight: f32,
    pub at: Span,
}

impl Definition {
    pub fn read(text: &str) -> Result<Definition, Fault> {
        let mut table = Table::parse(text)?;
        let missing = |key: &str| {
            let fault = Fault::new(format!("the network has no `{key}`"), &(0..0));
            fault.help(format!("a network has {}", DOCUMENT.join(", ")))
        };
        let unknown = {
            let mut rest = table.clone();
            DOCUMENT.iter().for_each(|key| drop(rest.take(key)));
            rest.finish("a network", DOCUMENT)
        };
        unknown?;
        let name = table.word("name")?.ok_or_else(|| missing("name"))?;
        names::of_network(&name)?;
        let about = table.word("about")?;
        if let Some(about) = about.as_ref().filter(|a| a.is.contains(char::is_control)) {
            return Err(Fault::new("`about` is one line", &about.span));
        }
        let image = image(&table.take("image").ok_or_else(|| missing("image"))?)?;
        let tables = table.tables("layer")?;
        if tables.is_empty() {
            return Err(missing("layer").label("it needs at least one [[layer]]"));
        }
        if let Some(first) = tables.get(MOST_LAYERS) {
            let message = format!("a network has at most {MOST_LAYERS} layers");
            return Err(Fault::new(message, &first.span));
        }
        let mut layers = layers(tables)?;
        let heads = heads(table.tables("head")?, &layers)?;
        for head in &heads {
            layers[head.layer].is_head = true;
        }
        let order = order::of(&layers)?;
        order::all_are_read(&layers)?;
        Ok(Definition {
            name: name.is,
            about: about.map(|about| about.is).unwrap_or_default(),
            image,
            layers,
            order,
            heads,
        })
    }
}

/// Height, width and channels.
fn image(value: &At<Is>) -> Result<[u32; 3], Fault> {
    let wrong = || value.needed("image", "[height, width, channels]");
    let Is::List(items) = &value.is else {
        return Err(wrong());
    };
    let extent = |item: &At<Is>| match item.is.json().as_u64() {
        Some(extent) if (1..=LARGEST_IMAGE).contains(&extent) => Ok(extent as u32),
        _ => {
            let what = format!("an integer from 1 to {LARGEST_IMAGE}");
            Err(item.needed("image", &what))
        }
    };
    let extents: Vec<u32> = items.iter().map(extent).collect::<Result<_, _>>()?;
    let image: [u32; 3] = extents.try_into().map_err(|_| wrong())?;
    match image.map(u64::from).iter().product::<u64>() {
        0..=LARGEST_WHOLE => Ok(image),
        _ => Err(Fault::new("such images are too large", &value.span)),
    }
}

/// A layer of which it is not yet known where those that it reads stand.
struct Raw {
    kind: At<String>,
    name: Option<At<String>>,
    inputs: Option<Vec<At<String>>>,
    what: What,
    table: Table,
}

fn raw(mut table: Table) -> Result<Raw, Fault> {
    let kind = table.word("type")?;
    let kind = kind.ok_or_else(|| {
        let fault = Fault::new("this layer has no `type`", &table.span);
        let fault = fault.help("`type` is Keras's class name, \"Conv2D\" say");
        fault.meant("type", table.keys())
    })?;
    let name = table.word("name")?;
    if let Some(name) = &name {
        names::of_layer(name)?;
    }
    let inputs = match table.take("inputs") {
        None => None,
        Some(At {
            is: Is::List(items),
            span,
        }) => {
            if items.is_empty() {
                return Err(Fault::new("a layer reads something", &span));
            }
            let words = items.into_iter().map(|item| item.word("inputs"));
            Some(words.collect::<Result<_, _>>()?)
        }
        Some(other) => return Err(other.needed("inputs", "a list of layers' names")),
    };
    let what = What::read(&kind, &mut table)?;
    Ok(Raw {
        kind,
        name,
        inputs,
        what,
        table,
    })
}

/// Names every layer and finds those that it reads.
fn layers(tables: Vec<Table>) -> Result<Vec<Entry>, Fault> {
    let raw: Vec<Raw> = tables.into_iter().map(raw).collect::<Result<_, _>>()?;
    let called = called(&raw)?;
    let numbered = called.iter().enumerate();
    let numbers: HashMap<&str, usize> = numbered.map(|(n, name)| (name.as_str(), n)).collect();
    let source = |input: At<String>, by: &str| {
        let is = match numbers.get(input.is.as_str()) {
            Some(&number) => Source::Layer(number),
            None if input.is == IMAGE => Source::Image,
            None => {
                let message = format!("`{by}` reads `{}`, which is no layer", input.is);
                let known = called.iter().map(String::as_str).chain([IMAGE]);
                return Err(Fault::new(message, &input.span).meant(&input.is, known));
            }
        };
        Ok(At {
            is,
            span: input.span,
        })
    };
    let entry = |(number, layer): (usize, Raw)| {
        let name = called[number].clone();
        let before = At {
            is: number.checked_sub(1).map_or(Source::Image, Source::Layer),
            span: layer.kind.span.clone(),
        };
        let at = layer.name.map_or(before.span.clone(), |name| name.span);
        let inputs = match layer.inputs {
            Some(inputs) => {
                let inputs = inputs.into_iter().map(|input| source(input, &name));
                inputs.collect::<Result<_, _>>()?
            }
            None => vec![before],
        };
        Ok(Entry {
            inputs,
            at,
            name,
            kind: layer.kind,
            what: layer.what,
            table: layer.table,
            is_head: false,
        })
    };
    raw.into_iter().enumerate().map(entry).collect()
}

/// What each layer is called: by its text, else as Keras numbers it.
fn called(raw: &[Raw]) -> Result<Vec<String>, Fault> {
    let mut given: HashMap<&str, &Span> = HashMap::new();
    for name in raw.iter().filter_map(|layer| layer.name.as_ref()) {
        if let Some(first) = given.insert(&name.is, &name.span) {
            let fault = Fault::new(format!("two layers are called `{}`", name.is), &name.span);
            return Err(fault.label("the second").beside(first, "the first"));
        }
    }
    let mut automatic = names::Automatic::default();
    let name = |layer: &Raw| match &layer.name {
        Some(name) => name.is.clone(),
        None => automatic.next(&layer.kind.is, |name| given.contains_key(name)),
    };
    Ok(raw.iter().map(name).collect())
}

/// The head of the last layer, and further ones.
fn heads(tables: Vec<Table>, layers: &[Entry]) -> Result<Vec<HeadEntry>, Fault> {
    let main = layers.len() - 1;
    let mut heads = vec![HeadEntry {
        name: String::new(),
        layer: main,
        weight: 1.0,
        at: layers[main].at.clone(),
    }];
    for mut table in tables {
        let layer = table.word("layer")?;
        let layer = layer.ok_or_else(|| {
            let fault = Fault::new("this head has no `layer`", &table.span);
            fault.meant("layer", table.keys())
        })?;
        let Some(number) = layers.iter().position(|entry| entry.name == layer.is) else {
            let message = format!("there is no layer `{}`", layer.is);
            let known = layers.iter().map(|entry| entry.name.as_str());
            return Err(Fault::new(message, &layer.span).meant(&layer.is, known));
        };
        let taken = heads.iter().find(|head| head.layer == number);
        if let Some(taken) = taken {
            let what = match taken.name.as_str() {
                "" => "the last layer, which is the first head by itself",
                _ => "another head's layer",
            };
            let message = format!("`{}` is {what}", layer.is);
            return Err(Fault::new(message, &layer.span));
        }
        let name = table.word("name")?.unwrap_or_else(|| layer.clone());
        names::of_layer(&name)?;
        if heads.iter().any(|head| head.name == name.is) {
            let message = format!("two heads are called `{}`", name.is);
            return Err(Fault::new(message, &name.span));
        }
        let weight = weight(table.take("weight"))?;
        table.finish("a head", HEAD)?;
        heads.push(HeadEntry {
            name: name.is,
            layer: number,
            weight,
            at: layer.span,
        });
    }
    Ok(heads)
}

/// The share of a head's loss in the whole.
fn weight(value: Option<At<Is>>) -> Result<f32, Fault> {
    let Some(value) = value else { return Ok(1.0) };
    let number = match value.is.json() {
        Value::Number(number) => number.as_f64().map(|n| n as f32),
        _ => None,
    };
    let number = number.filter(|n| n.is_finite() && *n > 0.0);
    number.ok_or_else(|| value.needed("weight", "a positive number"))
}
