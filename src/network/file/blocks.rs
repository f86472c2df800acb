//! What an entry of a text stands for: a layer of the registry, or a block, which becomes several.

use super::inception::Inception;
use super::residual::Residual;
use crate::documents::{At, Fault, Table, nearest};
use crate::graph::Layer;
use crate::layers::{self, LAYERS, Unreadable};
use crate::tensor::Shape;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Keys of an entry beside the layer's own arguments.
pub(super) const COMMON: &[&str] = &["type", "name", "inputs"];

/// Layers of which an activation is an argument.
const ACTIVATED: &[&str] = &["Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense"];

/// Arguments that may be the number of classes.
const COUNTS: &[&str] = &["units", "filters"];

const CLASSES: &str = "classes";

/// What the loss applies to the logits.
pub(super) const SOFTMAX: &str = "softmax";

/// A layer of its own.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub name: String,
    pub kind: &'static str,
    pub arguments: Map<String, Value>,
    /// Keras's name of the function behind it.
    pub activation: Option<String>,
    pub reads: Vec<Read>,
}

/// What a part reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read {
    /// One of what the entry reads.
    Input(usize),
    /// An earlier part.
    Part(usize),
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Layer {
        kind: &'static str,
        arguments: Map<String, Value>,
        activation: Option<String>,
    },
    Inception(Inception),
    Residual(Residual),
}

impl What {
    /// What is left of an entry's table: the arguments.
    pub fn read(kind: &At<String>, table: &mut Table) -> Result<What, Fault> {
        let arguments = Value::Object(table.json());
        let wrong = |error: Unreadable| fault(&error, kind, table);
        let what = match kind.is.as_str() {
            "Inception" => Inception::read(&arguments)
                .map(What::Inception)
                .map_err(wrong)?,
            "Residual" => Residual::read(&arguments)
                .map(What::Residual)
                .map_err(wrong)?,
            name => {
                let Some((name, _)) = LAYERS.iter().find(|(known, _)| *known == name) else {
                    return Err(no_such(kind));
                };
                let mut arguments = table.json();
                let mut activation = None;
                if ACTIVATED.contains(name)
                    && let Some(value) = arguments.remove("activation")
                {
                    let told = value.as_str().map(String::from);
                    let at = table.value("activation").expect("it was written");
                    let needed = || Fault::new("`activation` is a word in quotes", at);
                    activation = Some(told.ok_or_else(needed)?);
                }
                What::Layer {
                    kind: name,
                    arguments,
                    activation,
                }
            }
        };
        what.check().map_err(|error| fault(&error, kind, table))?;
        Ok(what)
    }

    /// Can its layers be read, whatever the number of classes and the shapes of its inputs?
    fn check(&self) -> Result<(), Unreadable> {
        let image = Shape::new([1, 8, 8, 8]);
        // At a head it is left out.
        if self.is_softmax() {
            return Ok(());
        }
        for part in self.parts("", &[&image]) {
            part.layer(2)?;
            if part.activation.as_deref() != Some(SOFTMAX) {
                part.function()?;
            }
        }
        Ok(())
    }

    /// Is it a softmax and no more?
    pub fn is_softmax(&self) -> bool {
        match self {
            What::Layer {
                kind, arguments, ..
            } => {
                let only = arguments.len() == 1;
                let function = arguments.get("activation").and_then(Value::as_str);
                *kind == "Activation" && only && function == Some(SOFTMAX)
            }
            _ => false,
        }
    }

    /// The layers that it becomes, the last of which makes its output.
    pub fn parts(&self, name: &str, inputs: &[&Shape]) -> Vec<Part> {
        match self {
            What::Layer {
                kind,
                arguments,
                activation,
            } => vec![Part {
                name: name.into(),
                kind,
                arguments: arguments.clone(),
                activation: activation.clone(),
                reads: (0..inputs.len()).map(Read::Input).collect(),
            }],
            What::Inception(block) => block.parts(name),
            What::Residual(block) => block.parts(name, inputs[0]),
        }
    }

    /// A block reads one tensor.
    pub fn is_block(&self) -> bool {
        !matches!(self, What::Layer { .. })
    }
}

fn no_such(kind: &At<String>) -> Fault {
    let blocks = ["Inception", "Residual"];
    let known = || LAYERS.iter().map(|(name, _)| *name).chain(blocks);
    let fault = Fault::new(format!("there is no layer `{}`", kind.is), &kind.span);
    let all: Vec<&str> = known().collect();
    fault
        .help(format!("there are {}", all.join(", ")))
        .meant(&kind.is, known())
}

/// Where in an entry's table that stands which a layer cannot read.
pub(super) fn fault(error: &Unreadable, kind: &At<String>, table: &Table) -> Fault {
    let message = error.to_string();
    let known = || error.known.iter().map(String::as_str);
    let Some(argument) = &error.argument else {
        return Fault::new(message, &kind.span);
    };
    match (table.key(argument), table.value(argument)) {
        (Some(key), _) if !error.known.contains(argument) => {
            let activation = ACTIVATED
                .contains(&kind.is.as_str())
                .then_some("activation");
            let common = COMMON.iter().copied().chain(activation);
            // Those of a table in it are its own.
            let all = known().chain(common.filter(|_| table.has(argument)));
            let all: Vec<&str> = all.collect();
            Fault::new(message, key)
                .help(format!("there are {}", all.join(", ")))
                .meant(argument, all)
        }
        (_, Some(value)) => Fault::new(message, value),
        // It is missing: maybe another key is meant to be it.
        _ => {
            let spare = table
                .keys()
                .into_iter()
                .filter(|key| !error.known.iter().any(|k| k == key));
            match nearest(argument, spare).and_then(|near| table.key(near)) {
                Some(key) => Fault::new(message, key).label(format!("did you mean `{argument}`?")),
                None => Fault::new(message, &kind.span),
            }
        }
    }
}

impl Part {
    /// The layer itself.
    pub fn layer(&self, classes: u32) -> Result<Arc<dyn Layer>, Unreadable> {
        let mut arguments = self.arguments.clone();
        for (_, value) in arguments
            .iter_mut()
            .filter(|(key, _)| COUNTS.contains(&key.as_str()))
        {
            if value.as_str() == Some(CLASSES) {
                *value = json!(classes);
            }
        }
        layers::parse(self.kind, &Value::Object(arguments))
    }

    /// What is applied to its output.
    pub fn function(&self) -> Result<Option<Arc<dyn Layer>>, Unreadable> {
        match self.activation.as_deref() {
            None | Some("linear") => Ok(None),
            Some(name) => {
                let read = layers::parse("Activation", &json!({ "activation": name }));
                let named = |error| Unreadable {
                    layer: self.kind.into(),
                    ..error
                };
                read.map(Some).map_err(named)
            }
        }
    }
}
