//! Names: those that a text may give, and those that layers get without one, as Keras numbers them.

use super::definition::IMAGE;
use crate::documents::{At, Fault};
use std::collections::HashMap;

/// Letters of a name.
const LONGEST: usize = 100;

/// A network's name is part of the names of folders.
pub(super) fn of_network(name: &At<String>) -> Result<(), Fault> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fits = (1..=LONGEST).contains(&name.is.len()) && name.is.chars().all(good);
    match fits && !name.is.starts_with(['.', '-']) {
        true => Ok(()),
        false => {
            let fault = Fault::new("this is no name of a network", &name.span);
            Err(fault
                .help("a name has letters, digits, -, _ and . and begins with none of . and -"))
        }
    }
}

/// A layer's name is part of the names of tensors; what stands before a slash is a block's.
pub(super) fn of_layer(name: &At<String>) -> Result<(), Fault> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let part = |part: &str| !part.is_empty() && part.chars().all(good) && !part.starts_with('.');
    if name.is == IMAGE {
        let message = format!("`{IMAGE}` is what the image is called");
        return Err(Fault::new(message, &name.span));
    }
    match name.is.len() <= LONGEST && name.is.split('/').all(part) {
        true => Ok(()),
        false => {
            let fault = Fault::new("this is no name of a layer", &name.span);
            Err(fault.help("a name has letters, digits, -, _ and ., in parts between slashes, none of which begins with ."))
        }
    }
}

/// Keras's numbering of layers without a name: `conv2d`, `conv2d_1`, ... What a text gave a layer by name is
/// passed over.
#[derive(Default)]
pub(super) struct Automatic(HashMap<String, usize>);

impl Automatic {
    pub fn next(&mut self, kind: &str, is_taken: impl Fn(&str) -> bool) -> String {
        let base = snake_case(kind);
        let count = self.0.entry(base.clone()).or_default();
        loop {
            let name = match *count {
                0 => base.clone(),
                number => format!("{base}_{number}"),
            };
            *count += 1;
            if !is_taken(&name) && name != IMAGE {
                return name;
            }
        }
    }
}

/// Keras's `to_snake_case`: a word begins at a capital that is followed by small letters, and at one that
/// follows a small letter.
fn snake_case(kind: &str) -> String {
    let letters: Vec<char> = kind.chars().collect();
    let mut name = String::new();
    for (i, c) in letters.iter().enumerate() {
        let behind_small = i > 0 && letters[i - 1].is_ascii_lowercase();
        let before_small = letters.get(i + 1).is_some_and(char::is_ascii_lowercase);
        if i > 0 && c.is_ascii_uppercase() && (behind_small || before_small) {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{Automatic, snake_case};

    #[test]
    fn classes_are_spelt_as_in_keras() {
        for (kind, name) in [
            ("Conv2D", "conv2d"),
            ("SeparableConv2D", "separable_conv2d"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("BatchNormalization", "batch_normalization"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("MaxPooling2D", "max_pooling2d"),
            ("ZeroPadding2D", "zero_padding2d"),
            ("SpatialDropout2D", "spatial_dropout2d"),
            ("LocalResponseNormalization", "local_response_normalization"),
            ("Add", "add"),
            ("ReLU", "re_lu"),
        ] {
            assert_eq!(snake_case(kind), name);
        }
    }

    #[test]
    fn layers_without_a_name_are_numbered_as_in_keras() {
        let mut automatic = Automatic::default();
        let taken = |name: &str| name == "conv2d_1";
        let names: Vec<String> = ["Conv2D", "Dense", "Conv2D", "Conv2D", "Dense"]
            .map(|kind| automatic.next(kind, taken))
            .into();
        assert_eq!(
            names,
            ["conv2d", "dense", "conv2d_2", "conv2d_3", "dense_1"]
        );
    }
}
