//! The layers: each a file, named as in Keras, that says its shapes, tensors and gradients and emits its
//! kernels. The registry below finds them by Keras's class name; nothing else lists them.

mod activation;
mod add;
mod average_pooling2d;
mod batch_normalization;
mod categorical_crossentropy;
mod concatenate;
mod conv2d;
mod convolution;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod flatten;
mod global_average_pooling2d;
mod global_max_pooling2d;
mod kernel;
mod local_response_normalization;
mod max_pooling2d;
mod planes;
mod read;
mod separable_conv2d;
mod spatial_dropout2d;
mod split;
mod zero_padding2d;

pub use activation::{Activation, Function};
pub use add::Add;
pub use average_pooling2d::AveragePooling2D;
pub use batch_normalization::BatchNormalization;
pub use categorical_crossentropy::{CategoricalCrossentropy, Loss};
pub use concatenate::Concatenate;
pub use conv2d::Conv2D;
pub use dense::Dense;
pub use depthwise_conv2d::DepthwiseConv2D;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use global_average_pooling2d::GlobalAveragePooling2D;
pub use global_max_pooling2d::GlobalMaxPooling2D;
pub use kernel::{Initializer, Kernel};
pub use local_response_normalization::LocalResponseNormalization;
pub use max_pooling2d::MaxPooling2D;
pub use read::{Arguments, Unreadable};
pub use separable_conv2d::SeparableConv2D;
pub use spatial_dropout2d::SpatialDropout2D;
pub use split::Split;
pub use zero_padding2d::ZeroPadding2D;

use crate::graph::Layer;
use std::sync::Arc;

/// Makes a layer of Keras's arguments.
pub type Parse = fn(&mut Arguments) -> Result<Arc<dyn Layer>, Unreadable>;

/// Every layer that a network can name. Adding layer X is its file, its module above and a line here.
pub static LAYERS: &[(&str, Parse)] = &[
    ("Activation", Activation::parse),
    ("Add", Add::parse),
    ("AveragePooling2D", AveragePooling2D::parse),
    ("BatchNormalization", BatchNormalization::parse),
    ("Concatenate", Concatenate::parse),
    ("Conv2D", Conv2D::parse),
    ("Dense", Dense::parse),
    ("DepthwiseConv2D", DepthwiseConv2D::parse),
    ("Dropout", Dropout::parse),
    ("Flatten", Flatten::parse),
    ("GlobalAveragePooling2D", GlobalAveragePooling2D::parse),
    ("GlobalMaxPooling2D", GlobalMaxPooling2D::parse),
    (
        "LocalResponseNormalization",
        LocalResponseNormalization::parse,
    ),
    ("MaxPooling2D", MaxPooling2D::parse),
    ("SeparableConv2D", SeparableConv2D::parse),
    ("ZeroPadding2D", ZeroPadding2D::parse),
    ("SpatialDropout2D", SpatialDropout2D::parse),
];

/// The layer of a class name and its arguments, an object as [`Layer::config`] gives it.
///
/// # Errors
/// Where there is no such layer, or an argument is missing, unknown or of another type.
pub fn parse(kind: &str, config: &serde_json::Value) -> Result<Arc<dyn Layer>, Unreadable> {
    let Some((_, parse)) = LAYERS.iter().find(|(name, _)| *name == kind) else {
        let known: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
        return Err(Unreadable {
            layer: kind.into(),
            what: format!("there is no such layer; there are {}", known.join(", ")),
            argument: None,
            known: Vec::new(),
        });
    };
    let mut arguments = Arguments::of(kind, config)?;
    let layer = parse(&mut arguments)?;
    arguments.finish()?;
    Ok(layer)
}
