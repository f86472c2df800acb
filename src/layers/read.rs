//! Reads a layer's arguments from JSON, by Keras's names: what is missing, unknown or of another type is
//! named with its layer.

use crate::graph::Window;
use crate::ops::conv2d::Padding;
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// Largest number that an argument may be: products of a few do not overflow.
const LARGEST: u32 = 1 << 20;

/// A layer that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("{layer}: {what}")]
pub struct Unreadable {
    pub layer: String,
    pub what: String,
    /// The argument that is at fault, if it is one.
    pub argument: Option<String>,
    /// The arguments that the layer has, as far as it was asked for them.
    pub known: Vec<String>,
}

/// The arguments that were not read yet.
pub struct Arguments {
    layer: String,
    left: Map<String, Value>,
    /// Those that somebody asked for, the last one last.
    asked: Vec<String>,
}

impl Arguments {
    pub fn of(layer: &str, config: &Value) -> Result<Arguments, Unreadable> {
        let layer = layer.to_string();
        match config {
            Value::Object(left) => Ok(Arguments {
                layer,
                left: left.clone(),
                asked: Vec::new(),
            }),
            other => Err(Unreadable {
                layer,
                what: format!("its arguments are no object but {other}"),
                argument: None,
                known: Vec::new(),
            }),
        }
    }

    /// An error that names the layer, and as what is at fault the argument that was read last.
    pub fn wrong(&self, what: impl Into<String>) -> Unreadable {
        Unreadable {
            layer: self.layer.clone(),
            what: what.into(),
            argument: self.asked.last().cloned(),
            known: self.asked.clone(),
        }
    }

    /// The value of an argument, which is read by that.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.asked.retain(|asked| asked != name);
        self.asked.push(name.into());
        self.left.remove(name)
    }

    /// A positive integer.
    pub fn count(&mut self, name: &str) -> Result<u32, Unreadable> {
        match self.take(name) {
            None => Err(self.wrong(format!("`{name}` is missing"))),
            Some(value) => self.positive(name, &value),
        }
    }

    /// A positive integer, if it is there.
    pub fn maybe_count(&mut self, name: &str) -> Result<Option<u32>, Unreadable> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => self.positive(name, &value).map(Some),
        }
    }

    /// A positive integer; `default` where there is none.
    pub fn count_or(&mut self, name: &str, default: u32) -> Result<u32, Unreadable> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => self.positive(name, &value),
        }
    }

    /// True or false; `default` where there is none.
    pub fn flag(&mut self, name: &str, default: bool) -> Result<bool, Unreadable> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.wrong(format!("`{name}` is {other}, true or false is needed"))),
        }
    }

    /// A number within bounds; `default` where there is none.
    pub fn number(
        &mut self,
        name: &str,
        default: f64,
        allowed: RangeInclusive<f64>,
    ) -> Result<f64, Unreadable> {
        let value = match self.take(name) {
            None | Some(Value::Null) => return Ok(default),
            Some(value) => value,
        };
        let number = value.as_f64().filter(|number| allowed.contains(number));
        number.ok_or_else(|| {
            let (least, most) = (allowed.start(), allowed.end());
            self.wrong(format!(
                "`{name}` is {value}, a number from {least} to {most} is needed"
            ))
        })
    }

    /// The factor of L2; 0 where there is none.
    pub fn l2(&mut self, name: &str) -> Result<f64, Unreadable> {
        let value = match self.take(name) {
            None | Some(Value::Null) => return Ok(0.0),
            Some(value) => value,
        };
        let factor = value.as_f64();
        let factor = factor.filter(|l2| (0.0..=f32::MAX.into()).contains(l2));
        factor.ok_or_else(|| {
            self.wrong(format!(
                "`{name}` is {value}, a number is needed: the factor of L2, from 0"
            ))
        })
    }

    /// An argument of which there is only 1 here, for height and width.
    pub fn only_one(&mut self, name: &str) -> Result<(), Unreadable> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(()),
            Some(value) if value == json!(1) || value == json!([1, 1]) => Ok(()),
            Some(other) => Err(self.wrong(format!("`{name}` is {other}, only 1 is there"))),
        }
    }

    /// ((above, below), (left, right)) of an image: one number for all, two for height and width, or all four;
    /// 1 where there is none.
    pub fn border(&mut self, name: &str) -> Result<[[u32; 2]; 2], Unreadable> {
        let value = match self.take(name) {
            None | Some(Value::Null) => return Ok([[1; 2]; 2]),
            Some(value) => value,
        };
        let extent = |value: &Value| u16::try_from(value.as_u64()?).ok().map(u32::from);
        let along = |value: &Value| match value.as_array().map(|both| &both[..]) {
            Some([before, after]) => Some([extent(before)?, extent(after)?]),
            Some(_) => None,
            None => extent(value).map(|both| [both; 2]),
        };
        let border = match value.as_array().map(|both| &both[..]) {
            Some([rows, columns]) => along(rows).zip(along(columns)).map(<[_; 2]>::from),
            Some(_) => None,
            None => along(&value).map(|all| [all; 2]),
        };
        border.ok_or_else(|| {
            self.wrong(format!(
                "`{name}` is {value}; a number is needed, (height, width) or ((above, below), (left, right))"
            ))
        })
    }

    /// `rate`, the share that is dropped: below 1, for who drops all learns nothing.
    pub fn rate(&mut self) -> Result<f64, Unreadable> {
        let value = self.take("rate");
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
        match (self.take(name), default) {
            (None | Some(Value::Null), Some(default)) => Ok(default),
            (None, None) => Err(self.wrong(format!("`{name}` is missing"))),
            (Some(Value::Array(both)), _) if both.len() == 2 => Ok([
                self.positive(name, &both[0])?,
                self.positive(name, &both[1])?,
            ]),
            (Some(Value::Array(others)), _) => Err(self.wrong(format!(
                "`{name}` has {} numbers, one or two are needed",
                others.len()
            ))),
            (Some(one), _) => Ok([self.positive(name, &one)?; 2]),
        }
    }

    /// One of a few words; `default` where there is none.
    pub fn word(&mut self, name: &str, default: &str) -> Result<String, Unreadable> {
        match self.take(name) {
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
        match self.take("axis") {
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
            Some(name) => Err(Unreadable {
                argument: Some(name.clone()),
                ..self.wrong(format!("it has no argument `{name}`"))
            }),
            None => Ok(()),
        }
    }

    fn positive(&self, name: &str, value: &Value) -> Result<u32, Unreadable> {
        match value.as_u64() {
            Some(number) if number > LARGEST.into() => {
                Err(self.wrong(format!("`{name}` is {number}, the most is {LARGEST}")))
            }
            Some(number) if number > 0 => Ok(number as u32),
            _ => Err(self.wrong(format!("`{name}` is {value}, a positive integer is needed"))),
        }
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
