//! The block `Residual`: two convolutions and a way around them, added (He et al. 2015, figure 2; with separable
//! convolutions and pooling, Chollet 2016, figure 5).
//!
//! The way around is the input itself where it has the output's shape, else a 1x1 convolution of the block's
//! strides.

use super::blocks::{Part, Read};
use super::parts::{Convolution, Parts, Style};
use crate::layers::{Arguments, Unreadable};
use crate::tensor::Shape;
use serde_json::{Map, Value};

#[derive(Clone, Debug)]
pub(super) struct Residual {
    filters: u32,
    size: [u32; 2],
    strides: [u32; 2],
    separable: bool,
    /// Do the strides lie in a max-pooling 3x3 behind the convolutions, instead of in the first one?
    pooled: bool,
    /// The function behind the sum; that behind the first convolution is the style's.
    output_activation: String,
    style: Style,
}

impl Residual {
    pub fn read(arguments: &Value) -> Result<Residual, Unreadable> {
        let mut arguments = Arguments::of("Residual", arguments)?;
        let filters = arguments.count("filters")?;
        let size = arguments.pair("kernel_size", Some([3; 2]))?;
        let strides = arguments.pair("strides", Some([1; 2]))?;
        let separable = arguments.flag("separable", false)?;
        let pooled = match arguments.word("downsample", "convolution")?.as_str() {
            "convolution" => false,
            "pool" => true,
            other => {
                let what = format!("`downsample` is \"{other}\", not \"convolution\" or \"pool\"");
                return Err(arguments.wrong(what));
            }
        };
        let style = Style::read(&mut arguments, true)?;
        let output_activation = arguments.word("output_activation", &style.activation)?;
        arguments.finish()?;
        Ok(Residual {
            filters,
            size,
            strides,
            separable,
            pooled,
            output_activation,
            style,
        })
    }

    /// Where the input has the output's shape, nothing stands on the way around.
    pub fn parts(&self, name: &str, input: &Shape) -> Vec<Part> {
        let x = Read::Input(0);
        let mut parts = Parts::of(name, &self.style);
        let first = Convolution {
            filters: self.filters,
            size: self.size,
            strides: if self.pooled { [1; 2] } else { self.strides },
            separable: self.separable,
            activated: true,
        };
        let second = Convolution {
            strides: [1; 2],
            activated: false,
            ..first
        };
        let mut y = parts.convolution("conv_1", &first, x);
        y = parts.convolution("conv_2", &second, y);
        if self.pooled {
            y = parts.pool("MaxPooling2D", [3; 2], self.strides, y);
        }
        let is_same = self.strides == [1; 2] && input.0.last() == Some(&self.filters);
        let around = match is_same {
            true => x,
            false => {
                let shortcut = Convolution {
                    strides: self.strides,
                    activated: false,
                    ..Convolution::square(self.filters, 1)
                };
                parts.convolution("shortcut", &shortcut, x)
            }
        };
        parts.add("", "Add", Map::new(), vec![y, around]);
        let sum = parts.all.last_mut().expect("just added");
        sum.activation = Some(self.output_activation.clone());
        parts.all
    }
}
