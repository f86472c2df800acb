//! What blocks are built of: a convolution with what stands behind it, and the arguments that blocks share.

use super::blocks::{Part, Read};
use crate::layers::{Arguments, Unreadable};
use serde_json::{Map, Value, json};

/// Arguments of all of a block's convolutions.
#[derive(Clone, Debug)]
pub(super) struct Style {
    /// The function behind each.
    pub activation: String,
    /// Batch normalisation between a convolution and its activation: its arguments.
    pub batch_norm: Option<Map<String, Value>>,
    /// `kernel_regularizer` and `kernel_initializer` where they are given.
    pub kernel: Map<String, Value>,
}

impl Style {
    pub fn read(arguments: &mut Arguments, normalises: bool) -> Result<Style, Unreadable> {
        let activation = arguments.word("activation", "relu")?;
        let batch_norm = match arguments.take("batch_norm") {
            None if normalises => Some(Map::new()),
            None | Some(Value::Bool(false)) => None,
            Some(Value::Bool(true)) => Some(Map::new()),
            Some(Value::Object(table)) => Some(table),
            Some(other) => {
                return Err(arguments.wrong(format!(
                    "`batch_norm` is {other}, true, false or a table of BatchNormalization's arguments is needed"
                )));
            }
        };
        let mut kernel = Map::new();
        for name in ["kernel_regularizer", "kernel_initializer"] {
            if let Some(value) = arguments.take(name) {
                kernel.insert(name.into(), value);
            }
        }
        Ok(Style {
            activation,
            batch_norm,
            kernel,
        })
    }

    /// The arguments of a convolution or, where `separable`, of a depthwise and a pointwise one.
    fn convolution(&self, conv: &Convolution) -> Map<String, Value> {
        let mut arguments = Map::new();
        for (name, value) in &self.kernel {
            match name.strip_prefix("kernel") {
                Some(what) if conv.separable => {
                    arguments.insert(format!("depthwise{what}"), value.clone());
                    arguments.insert(format!("pointwise{what}"), value.clone());
                }
                _ => drop(arguments.insert(name.clone(), value.clone())),
            }
        }
        let own = [
            ("filters", json!(conv.filters)),
            ("kernel_size", json!(conv.size)),
            ("strides", json!(conv.strides)),
            ("padding", json!("same")),
        ];
        arguments.extend(own.map(|(name, value)| (name.to_string(), value)));
        if self.batch_norm.is_some() {
            arguments.insert("use_bias".into(), json!(false));
        }
        arguments
    }
}

/// A convolution of a block, which keeps the image's size but for its strides.
pub(super) struct Convolution {
    pub filters: u32,
    pub size: [u32; 2],
    pub strides: [u32; 2],
    pub separable: bool,
    /// Does the block's activation stand behind it?
    pub activated: bool,
}

impl Convolution {
    pub fn square(filters: u32, size: u32) -> Convolution {
        Convolution {
            filters,
            size: [size; 2],
            strides: [1; 2],
            separable: false,
            activated: true,
        }
    }
}

/// A block under construction.
pub(super) struct Parts<'a> {
    block: &'a str,
    style: &'a Style,
    pub all: Vec<Part>,
}

impl Parts<'_> {
    pub fn of<'a>(block: &'a str, style: &'a Style) -> Parts<'a> {
        Parts {
            block,
            style,
            all: Vec::new(),
        }
    }

    /// Adds a layer; what reads it reads the result.
    pub fn add(
        &mut self,
        name: &str,
        kind: &'static str,
        arguments: Map<String, Value>,
        reads: Vec<Read>,
    ) -> Read {
        let name = match name {
            "" => self.block.to_string(),
            name => format!("{}/{name}", self.block),
        };
        self.all.push(Part {
            name,
            kind,
            arguments,
            activation: None,
            reads,
        });
        Read::Part(self.all.len() - 1)
    }

    /// Adds a convolution, its batch normalisation and its activation.
    pub fn convolution(&mut self, name: &str, conv: &Convolution, reads: Read) -> Read {
        let kind = match conv.separable {
            true => "SeparableConv2D",
            false => "Conv2D",
        };
        let arguments = self.style.convolution(conv);
        let mut made = self.add(name, kind, arguments, vec![reads]);
        if let Some(arguments) = &self.style.batch_norm {
            let arguments = arguments.clone();
            made = self.add(
                &format!("{name}_bn"),
                "BatchNormalization",
                arguments,
                vec![made],
            );
        }
        if conv.activated {
            let activation = self.style.activation.clone();
            self.all.last_mut().expect("just added").activation = Some(activation);
        }
        made
    }

    /// Adds a pooling that keeps the image's size but for its strides.
    pub fn pool(
        &mut self,
        kind: &'static str,
        size: [u32; 2],
        strides: [u32; 2],
        reads: Read,
    ) -> Read {
        let arguments = json!({ "pool_size": size, "strides": strides, "padding": "same" });
        let Value::Object(arguments) = arguments else {
            unreachable!("an object");
        };
        self.add("pool", kind, arguments, vec![reads])
    }
}
