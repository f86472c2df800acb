//! What a file of another program holds: layers with tensors, in whatever way it names them.

use super::Error;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Layers, groups or tensors of a file: more are no network of anybody.
pub(super) const MOST: usize = 20_000;

/// A tensor of numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FileTensor {
    /// Where it stands in the file.
    pub place: String,
    /// `kernel`, or a number where the file only counts.
    pub suffix: Suffix,
    pub shape: Vec<u64>,
}

/// What a file calls a tensor within its layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Suffix {
    Name(String),
    /// In the order in which Keras made them.
    Number(usize),
}

/// The tensors of one layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FileLayer {
    /// Its name, if the file says it.
    pub name: Option<String>,
    /// Where it stands in the file.
    pub place: String,
    pub tensors: Vec<FileTensor>,
}

/// A file that was looked through; no tensor of it was read yet.
pub(super) struct Found {
    pub path: PathBuf,
    /// Those with tensors.
    pub layers: Vec<FileLayer>,
    pub config: Config,
    pub source: Box<dyn Source>,
}

/// Reads tensors.
pub(super) trait Source {
    /// `count` numbers of a tensor, in the order of its shape.
    fn read(&mut self, tensor: &FileTensor, count: usize) -> Result<Vec<f32>, String>;
}

/// What a configuration of Keras says, where a file has one.
#[derive(Default)]
pub(super) struct Config(Option<Value>);

/// Objects within objects that are looked at.
const DEEPEST: usize = 32;

impl Config {
    #[cfg(any(feature = "keras", test))]
    /// Nothing where it is no JSON: names and shapes decide alone then.
    pub fn of(text: &[u8]) -> Config {
        Config(serde_json::from_slice(text).ok())
    }

    /// (height, width, channels) of the images that the network takes.
    pub fn image(&self) -> Option<[u32; 3]> {
        let mut image = None;
        self.visit(&mut |key, value| {
            if image.is_none() && ["batch_shape", "batch_input_shape"].contains(&key) {
                let extent = |value: &Value| u32::try_from(value.as_u64()?).ok();
                image = match value.as_array().map(|shape| &shape[..]) {
                    Some([_, h, w, c]) => (|| Some([extent(h)?, extent(w)?, extent(c)?]))(),
                    _ => None,
                };
            }
        });
        image
    }

    /// Do its layers put channels first? Their flattening walks them in another order.
    pub fn is_channels_first(&self) -> bool {
        let mut found = false;
        self.visit(&mut |key, value| {
            found |= key == "data_format" && value == "channels_first";
        });
        found
    }

    /// The configuration of the layer of that name.
    pub fn layer(&self, name: &str) -> Option<&Value> {
        let mut layers = Vec::new();
        collect(self.0.as_ref()?, DEEPEST, &mut layers);
        let layer = |layer: &&&Value| layer["config"]["name"] == name;
        layers.iter().find(layer).map(|layer| &layer["config"])
    }

    #[cfg(any(feature = "keras", test))]
    /// The name of each layer by its place in a file that only counts: `layers/conv2d_1`, the second Conv2D.
    pub fn places(&self) -> Vec<(String, String)> {
        let mut places = Vec::new();
        if let Some(config) = &self.0 {
            place(config, "", DEEPEST, &mut places);
        }
        places
    }

    fn visit(&self, each: &mut dyn FnMut(&str, &Value)) {
        fn walk(value: &Value, depth: usize, each: &mut dyn FnMut(&str, &Value)) {
            if depth == 0 {
                return;
            }
            match value {
                Value::Object(members) => members.iter().for_each(|(key, value)| {
                    each(key, value);
                    walk(value, depth - 1, each);
                }),
                Value::Array(values) => values.iter().for_each(|v| walk(v, depth - 1, each)),
                _ => {}
            }
        }
        if let Some(config) = &self.0 {
            walk(config, DEEPEST, each);
        }
    }
}

fn layers(model: &Value) -> &[Value] {
    let layers = model["config"]["layers"].as_array();
    layers.map_or(&[], |layers| &layers[..])
}

fn collect<'a>(model: &'a Value, depth: usize, found: &mut Vec<&'a Value>) {
    for layer in layers(model) {
        found.push(layer);
        if depth > 0 {
            collect(layer, depth - 1, found);
        }
    }
}

#[cfg(any(feature = "keras", test))]
fn place(model: &Value, before: &str, depth: usize, places: &mut Vec<(String, String)>) {
    let mut counts = std::collections::HashMap::new();
    for layer in layers(model) {
        let class = snake_case(layer["class_name"].as_str().unwrap_or_default());
        let count: &mut usize = counts.entry(class.clone()).or_default();
        let here = match *count {
            0 => format!("{before}layers/{class}"),
            number => format!("{before}layers/{class}_{number}"),
        };
        *count += 1;
        if let Some(name) = layer["config"]["name"].as_str() {
            places.push((here.clone(), name.into()));
        }
        if depth > 0 {
            place(layer, &format!("{here}/"), depth - 1, places);
        }
    }
}

/// Keras's `to_snake_case` of a class: `MaxPooling2D` is `max_pooling2d`.
pub(super) fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut name = String::new();
    for (at, c) in letters.iter().enumerate() {
        let is_lower = |at: usize| letters.get(at).is_some_and(|c| c.is_lowercase());
        if at > 0 && c.is_uppercase() && (is_lower(at + 1) || is_lower(at - 1)) {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

/// A text of a file without what a terminal would obey: control characters and changes of direction.
pub(super) fn legible(text: &str) -> String {
    let is_obeyed =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| match is_obeyed(c) {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// An error that names the file.
pub(super) fn unfit(path: &Path, what: impl AsRef<str>) -> Error {
    Error::Unfit {
        path: path.into(),
        what: legible(what.as_ref()),
    }
}

/// What the system says of reading a file.
pub(super) fn read<T>(path: &Path, result: std::io::Result<T>) -> Result<T, Error> {
    result.map_err(|source| crate::files::Error::read(path, source).into())
}

/// Puts the tensors of a layer into their order, and the layers of equal places together.
pub(super) fn grouped(
    tensors: impl IntoIterator<Item = (Option<String>, String, FileTensor)>,
) -> Vec<FileLayer> {
    let mut layers: Vec<FileLayer> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (name, place, tensor) in tensors {
        let at = *known.entry(place.clone()).or_insert(layers.len());
        if at == layers.len() {
            layers.push(FileLayer {
                name,
                place,
                tensors: Vec::new(),
            });
        }
        layers[at].tensors.push(tensor);
    }
    for layer in &mut layers {
        layer.tensors.sort_by_key(|tensor| match &tensor.suffix {
            Suffix::Number(number) => *number,
            Suffix::Name(_) => 0,
        });
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::{Config, snake_case};

    #[test]
    fn classes_are_written_as_keras_writes_them() {
        for (class, expected) in [
            ("Conv2D", "conv2d"),
            ("MaxPooling2D", "max_pooling2d"),
            ("BatchNormalization", "batch_normalization"),
            ("SeparableConv2D", "separable_conv2d"),
            ("LeakyReLU", "leaky_re_lu"),
            ("ReLU", "re_lu"),
            ("PReLU", "p_re_lu"),
            ("Dense", "dense"),
        ] {
            assert_eq!(snake_case(class), expected);
        }
    }

    #[test]
    fn layers_of_a_class_are_counted_within_their_model() {
        let config = r#"{"config": {"layers": [
            {"class_name": "Dense", "config": {"name": "a"}},
            {"class_name": "Sequential", "config": {"name": "s", "layers": [
                {"class_name": "Dense", "config": {"name": "b"}}]}},
            {"class_name": "Dense", "config": {"name": "c"}}]}}"#;
        let places = Config::of(config.as_bytes()).places();
        let places: Vec<[&str; 2]> = places.iter().map(|(a, b)| [&a[..], &b[..]]).collect();
        let expected = [
            ["layers/dense", "a"],
            ["layers/sequential", "s"],
            ["layers/sequential/layers/dense", "b"],
            ["layers/dense_1", "c"],
        ];
        assert_eq!(places, expected);
    }
}
