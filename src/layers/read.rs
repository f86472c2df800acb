//! Reads a layer's arguments from JSON, by Keras's names: what is missing, unknown or of another type is
//! named with its layer.

use crate::graph::Window;
use crate::ops::conv2d::Padding;
use serde_json::{Map, Value, json};

/// A layer that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("{layer}: {what}")]
pub struct Unreadable {
    pub layer: String,
    pub what: String,
}

/// The arguments that were not read yet.
pub struct Arguments {
    layer: String,
    left: Map<String, Value>,
}

impl Arguments {
    pub fn of(layer: &str, config: &Value) -> Result<Arguments, Unreadable> {
        let layer = layer.to_string();
        match config {
            Value::Object(left) => Ok(Arguments {
                layer,
                left: left.clone(),
            }),
            other => {
                let what = format!("its arguments are no object but {other}");
                Err(Unreadable { layer, what })
            }
        }
    }

    /// An error that names the layer.
    pub fn wrong(&self, what: impl Into<String>) -> Unreadable {
        Unreadable {
            layer: self.layer.clone(),
            what: what.into(),
        }
    }

    /// A positive integer.
    pub fn count(&mut self, name: &str) -> Result<u32, Unreadable> {
        match self.left.remove(name) {
            None => Err(self.wrong(format!("`{name}` is missing"))),
            Some(value) => self.positive(name, &value),
        }
    }

    /// `rate`, the share that is dropped: below 1, for who drops all learns nothing.
    pub fn rate(&mut self) -> Result<f64, Unreadable> {
        let value = self.left.remove("rate");
        let value = value.ok_or_else(|| self.wrong("`rate` is missing"))?;
        let rate = value.as_f64().filter(|rate| (0.0..1.0).contains(rate));
        rate.ok_or_else(|| {
            self.wrong(format!(
                "`rate` is {value}, a number from 0 to below 1 is needed"
            ))
        })
    }

    /// A pair (height, width), or one number for both; `default` where there is none.
    pub fn pair(&mut self, name: &str, default: Option<[u32; 2]>) -> Result<[u32; 2], Unreadable> {
        match (self.left.remove(name), default) {
            (None | Some(Value::Null), Some(default)) => Ok(default),
            (None, None) => Err(self.wrong(format!("`{name}` is missing"))),
            (Some(Value::Array(both)), _) if both.len() == 2 => Ok([
                self.positive(name, &both[0])?,
                self.positive(name, &both[1])?,
            ]),
            (Some(one), _) => Ok([self.positive(name, &one)?; 2]),
        }
    }

    /// One of a few words; `default` where there is none.
    pub fn word(&mut self, name: &str, default: &str) -> Result<String, Unreadable> {
        match self.left.remove(name) {
            None | Some(Value::Null) => Ok(default.into()),
            Some(Value::String(word)) => Ok(word),
            Some(other) => Err(self.wrong(format!("`{name}` is {other}, a word is needed"))),
        }
    }

    pub fn padding(&mut self) -> Result<Padding, Unreadable> {
        match self.word("padding", "valid")?.as_str() {
            "same" => Ok(Padding::Same),
            "valid" => Ok(Padding::Valid),
            other => Err(self.wrong(format!(
                "`padding` is \"{other}\", not \"same\" or \"valid\""
            ))),
        }
    }

    /// The window of a pooling layer: Keras's strides are the pool's size where they are not given.
    pub fn pool(&mut self) -> Result<Window, Unreadable> {
        let size = self.pair("pool_size", Some([2, 2]))?;
        let stride = self.pair("strides", Some(size))?;
        let padding = self.padding()?;
        Ok(Window {
            size,
            stride,
            padding,
        })
    }

    /// The last axis, the only one along which layers join here.
    pub fn axis(&mut self) -> Result<(), Unreadable> {
        match self.left.remove("axis") {
            None | Some(Value::Null) => Ok(()),
            Some(value) if value == json!(-1) || value == json!(3) => Ok(()),
            Some(other) => Err(self.wrong(format!(
                "`axis` is {other}, only -1, the channels, is there"
            ))),
        }
    }

    /// Refuses what nobody read.
    pub fn finish(self) -> Result<(), Unreadable> {
        match self.left.keys().next() {
            Some(name) => Err(self.wrong(format!("it has no argument `{name}`"))),
            None => Ok(()),
        }
    }

    fn positive(&self, name: &str, value: &Value) -> Result<u32, Unreadable> {
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
        number
            .filter(|&n| n > 0)
            .ok_or_else(|| self.wrong(format!("`{name}` is {value}, a positive integer is needed")))
    }
}

/// The arguments of a pooling layer.
pub(super) fn pool_config(window: &Window) -> Value {
    json!({
        "pool_size": window.size,
        "strides": window.stride,
        "padding": window.padding.to_string(),
    })
}
