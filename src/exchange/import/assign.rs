//! Which tensor of a file is which of ours. Names decide; where the file has none, or others, shapes do, and where
//! those leave a choice the file is refused.

use super::found::{FileLayer, FileTensor, Found, Suffix, legible, snake_case};
use crate::network::Model;
use crate::tensor::Shape;
use serde_json::{Value, json};

/// A layer of ours that has tensors.
struct Ours<'m> {
    name: &'m str,
    kind: &'static str,
    /// Keras's arguments.
    config: serde_json::Value,
    /// Suffix and shape, in Keras's order.
    tensors: Vec<(&'m str, &'m Shape)>,
}

/// A tensor of ours and the one of the file that it is.
#[derive(Clone, Debug)]
pub struct Pair {
    pub ours: String,
    pub shape: Shape,
    pub(super) theirs: FileTensor,
}

impl Pair {
    /// Where the tensor stands in the file.
    pub fn place(&self) -> String {
        legible(&self.theirs.place)
    }
}

/// Pairs all tensors of the model, in its order.
///
/// # Errors
/// What does not fit, or fits in more than one way, in words.
pub(super) fn assign(found: &Found, model: &Model) -> Result<Vec<Pair>, String> {
    let ours = ours(model);
    let chosen = match by_name(found, &ours)? {
        Ok(chosen) => chosen,
        Err(missing) => by_shape(found, &ours, &model.name).map_err(|why| {
            format!("it has no layer by the name of {missing}, and by shapes {why}")
        })?,
    };
    let mut pairs = Vec::new();
    for (ours, &at) in ours.iter().zip(&chosen) {
        let theirs = &found.layers[at];
        same_arguments(found, ours, theirs)?;
        for (number, &(suffix, shape)) in ours.tensors.iter().enumerate() {
            let tensor = tensor(theirs, ours.kind, number, suffix);
            pairs.push(Pair {
                ours: format!("{}/{suffix}", ours.name),
                shape: shape.clone(),
                theirs: tensor.expect("it fits").clone(),
            });
        }
    }
    let spare = |(at, layer): (usize, &FileLayer)| (!chosen.contains(&at)).then(|| told(layer));
    match found.layers.iter().enumerate().find_map(spare) {
        Some(spare) => Err(format!("no layer of {} takes its {spare}", model.name)),
        None => Ok(pairs),
    }
}

/// The layers with tensors; a shared one once.
fn ours(model: &Model) -> Vec<Ours<'_>> {
    let graph = &model.graph;
    let mut seen = Vec::new();
    let mut layers = Vec::new();
    for node in graph.nodes.iter().filter(|node| !node.own.is_empty()) {
        if seen.contains(&node.own[0]) {
            continue;
        }
        seen.push(node.own[0]);
        let tensor = |&id: &usize| {
            let tensor = &graph.tensors[id];
            let suffix = tensor.name.strip_prefix(&format!("{}/", node.name));
            (suffix.unwrap_or(&tensor.name), &tensor.shape)
        };
        layers.push(Ours {
            name: &node.name,
            kind: node.layer.kind(),
            config: node.layer.config(),
            tensors: node.own.iter().map(tensor).collect(),
        });
    }
    layers
}

/// The file's layer of each of ours by their names, or the first of ours that has no namesake.
fn by_name<'m>(found: &Found, ours: &[Ours<'m>]) -> Result<Result<Vec<usize>, &'m str>, String> {
    let mut chosen = Vec::new();
    for layer in ours {
        let named = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
            let is = |(_, theirs): &(usize, &FileLayer)| theirs.name.as_deref().is_some_and(same);
            found
                .layers
                .iter()
                .enumerate()
                .filter(is)
                .map(|(at, _)| at)
                .collect()
        };
        let mut same = named(&|name| name == layer.name);
        if same.is_empty() {
            same = named(&|name| plain(name) == plain(layer.name));
        }
        match same[..] {
            [] => return Ok(Err(layer.name)),
            [one] if chosen.contains(&one) => {
                let (name, place) = (layer.name, &found.layers[one].place);
                return Err(format!(
                    "`{place}` may be {name} or another layer by its name"
                ));
            }
            [one] => chosen.push(one),
            [..] => {
                let places = same
                    .iter()
                    .map(|&at| format!("`{}`", found.layers[at].place));
                let places: Vec<String> = places.collect();
                return Err(format!(
                    "{} may be {} by their names",
                    layer.name,
                    places.join(" or ")
                ));
            }
        }
    }
    for (layer, &at) in ours.iter().zip(&chosen) {
        if !fits(layer, &found.layers[at]) {
            return Err(format!(
                "{} has {}, and the file's {}",
                layer.name,
                expected(layer),
                told(&found.layers[at])
            ));
        }
    }
    Ok(Ok(chosen))
}

/// Keras forbids the slash in names, and TensorFlow the point.
fn plain(name: &str) -> String {
    name.replace(['/', '.', ':', '-'], "_")
}

/// The file's layer of each of ours by its shapes alone.
fn by_shape(found: &Found, ours: &[Ours], model: &str) -> Result<Vec<usize>, String> {
    let mut chosen = Vec::new();
    for layer in ours {
        let all = found.layers.iter().enumerate();
        let fitting = all.filter(|(_, theirs)| fits(layer, theirs) && is_kind(layer, theirs));
        let fitting: Vec<usize> = fitting.map(|(at, _)| at).collect();
        match fitting[..] {
            [] => {
                return Err(format!(
                    "nothing is {} of {model}, {}",
                    layer.name,
                    expected(layer)
                ));
            }
            [one] if !chosen.contains(&one) => chosen.push(one),
            _ => {
                let places = fitting.iter().map(|&at| {
                    let theirs = &found.layers[at];
                    format!("`{}`", theirs.name.as_deref().unwrap_or(&theirs.place))
                });
                let places: Vec<String> = places.collect();
                return Err(format!(
                    "{} of {model} may be {}: name the layers as `fer-gpu summary --model {model}` does (`.` or `_` may stand for `/`) and save a .keras file, which has the names",
                    layer.name,
                    places.join(" or ")
                ));
            }
        }
    }
    Ok(chosen)
}

/// Where the place of a layer says its class, is it that of ours?
fn is_kind(ours: &Ours, theirs: &FileLayer) -> bool {
    let counted = theirs
        .tensors
        .iter()
        .any(|t| matches!(t.suffix, Suffix::Number(_)));
    let last = theirs.place.rsplit('/').next().unwrap_or_default();
    let number = last
        .rsplit_once('_')
        .filter(|(_, n)| n.parse::<u32>().is_ok());
    let class = number.map_or(last, |(class, _)| class);
    !counted || class == snake_case(ours.kind)
}

/// The file's tensor that is number `number` of ours, by its name or where it stands.
///
/// Keras 3 calls the kernel of a DepthwiseConv2D `kernel`, where Keras 2 said `depthwise_kernel`.
fn tensor<'f>(
    theirs: &'f FileLayer,
    kind: &str,
    number: usize,
    suffix: &str,
) -> Option<&'f FileTensor> {
    let renamed = kind == "DepthwiseConv2D" && suffix == "depthwise_kernel";
    theirs.tensors.iter().find(|tensor| match &tensor.suffix {
        Suffix::Name(name) => name == suffix || renamed && name == "kernel",
        Suffix::Number(n) => *n == number,
    })
}

fn fits(ours: &Ours, theirs: &FileLayer) -> bool {
    let mut all = ours.tensors.iter().enumerate();
    ours.tensors.len() == theirs.tensors.len()
        && all.all(|(number, &(suffix, shape))| {
            tensor(theirs, ours.kind, number, suffix)
                .is_some_and(|tensor| tensor.shape.iter().copied().eq(dims(shape)))
        })
}

fn dims(shape: &Shape) -> impl Iterator<Item = u64> {
    shape.0.iter().map(|&extent| extent.into())
}

/// Do weights that are there depend on the argument? How they began, and what held them small, is past; the momentum
/// of moving averages plays a part in training alone.
fn counts(argument: &str) -> bool {
    let past = ["_initializer", "_regularizer"];
    let indifferent = ["activation", "momentum"].contains(&argument);
    !indifferent && !past.iter().any(|end| argument.ends_with(end))
}

/// Keras has several ways to say the last axis of an image.
fn is_last_axis(axis: &Value) -> bool {
    [json!(-1), json!(3), json!([-1]), json!([3])].contains(axis)
}

/// Where the file says how a layer was made, it must be as ours is.
fn same_arguments(found: &Found, ours: &Ours, theirs: &FileLayer) -> Result<(), String> {
    let name = theirs.name.as_deref().unwrap_or_default();
    let Some(config) = found.config.layer(name) else {
        return Ok(());
    };
    // Here a dilation is always 1, which the configuration does not say.
    let dilation = ("dilation_rate".to_string(), json!([1, 1]));
    let arguments = ours.config.as_object().into_iter().flatten();
    for (argument, value) in arguments.chain([(&dilation.0, &dilation.1)]) {
        match config.get(argument) {
            Some(theirs) if argument == "axis" && is_last_axis(theirs) && is_last_axis(value) => {}
            Some(theirs) if theirs != value && counts(argument) => {
                return Err(format!(
                    "its layer `{name}` has {argument} {theirs}, and {} {value}",
                    ours.name
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// `kernel (3, 3, 10, 10), bias (10)`
fn expected(ours: &Ours) -> String {
    let tensors = ours.tensors.iter();
    let tensors = tensors.map(|(suffix, shape)| format!("{suffix} {shape}"));
    tensors.collect::<Vec<_>>().join(", ")
}

/// A layer of the file with its tensors, no more than a line.
fn told(layer: &FileLayer) -> String {
    let tensor = |tensor: &FileTensor| {
        let dims: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
        let name = match &tensor.suffix {
            Suffix::Name(name) => name.clone(),
            Suffix::Number(number) => number.to_string(),
        };
        format!("{name} ({})", dims.join(", "))
    };
    let tensors: Vec<String> = layer.tensors.iter().take(6).map(tensor).collect();
    let more = if layer.tensors.len() > 6 { ", ..." } else { "" };
    let name = layer.name.as_deref().unwrap_or(&layer.place);
    format!("`{name}` {}{more}", tensors.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::found::{Config, FileTensor, Found, Source, Suffix, grouped};
    use super::assign;
    use crate::graph::Window;
    use crate::layers::{DepthwiseConv2D, SeparableConv2D};
    use crate::network::{Builder, Model};
    use crate::ops::conv2d::Padding::Same;

    struct Nothing;

    impl Source for Nothing {
        fn read(&mut self, _: &FileTensor, _: usize) -> Result<Vec<f32>, String> {
            Err("nothing is read here".into())
        }
    }

    /// A file with layers (name, place, kernel, bias).
    fn file(layers: &[(Option<&str>, &str, &[u64])], config: &str) -> Found {
        let tensors = layers.iter().flat_map(|&(name, place, kernel)| {
            let bias = &kernel[kernel.len() - 1..];
            [kernel, bias]
                .into_iter()
                .enumerate()
                .map(move |(n, shape)| {
                    let tensor = FileTensor {
                        place: format!("{place}/vars/{n}"),
                        suffix: Suffix::Number(n),
                        shape: shape.to_vec(),
                    };
                    (name.map(String::from), place.to_string(), tensor)
                })
        });
        Found {
            path: "file".into(),
            layers: grouped(tensors),
            config: Config::of(config.as_bytes()),
            source: Box::new(Nothing),
        }
    }

    fn model() -> Model {
        let mut b = Builder::new();
        let image = b.input("image", [4, 4, 1]);
        let x = b.conv2d("a/b", image, 3, Window::square(3, 1, Same), true);
        let x = b.global_average_pool("gap", x);
        let x = b.dense("c", x, 3, true);
        let logits = b.dense("d", x, 2, false);
        b.model("small", logits)
    }

    const CONV: &[u64] = &[3, 3, 1, 3];

    fn places(found: &Found) -> Result<Vec<String>, String> {
        let pairs = assign(found, &model())?;
        Ok(pairs
            .iter()
            .map(|pair| format!("{} {}", pair.ours, pair.place()))
            .collect())
    }

    #[test]
    fn shapes_decide_where_there_are_no_names_and_only_one_way() {
        let layers = [
            (None, "layers/dense_1", &[3, 2][..]),
            (Some("dense"), "layers/dense", &[3, 3]),
            (None, "layers/conv2d", CONV),
        ];
        let expected = [
            "a/b/kernel layers/conv2d/vars/0",
            "a/b/bias layers/conv2d/vars/1",
            "c/kernel layers/dense/vars/0",
            "c/bias layers/dense/vars/1",
            "d/kernel layers/dense_1/vars/0",
            "d/bias layers/dense_1/vars/1",
        ];
        assert_eq!(places(&file(&layers, "")).expect("one way"), expected);
        let two = [
            layers[0],
            layers[1],
            (None, "layers/dense_2", &[3, 3]),
            layers[2],
        ];
        let told = places(&file(&two, "")).expect_err("two ways");
        assert!(
            told.contains("c of small may be `dense` or `layers/dense_2`"),
            "{told}"
        );
        let none = places(&file(&layers[..2], "")).expect_err("no convolution");
        assert!(
            none.contains("nothing is a/b of small, kernel (3, 3, 1, 3), bias (3)"),
            "{none}"
        );
        // A dense layer of that shape would be another class.
        let other = [
            layers[0],
            (None, "layers/einsum_dense", &[3, 3][..]),
            layers[2],
        ];
        assert!(places(&file(&other, "")).is_err());
    }

    #[test]
    fn names_decide_and_must_fit() {
        let layers = [
            (Some("d"), "layers/dense_1", &[3, 2][..]),
            (Some("c"), "layers/dense", &[3, 3]),
            (Some("a.b"), "layers/conv2d", CONV),
        ];
        let found = places(&file(&layers, "")).expect("names");
        assert_eq!(found[2], "c/kernel layers/dense/vars/0");
        let spare = [
            layers[0],
            layers[1],
            layers[2],
            (Some("more"), "layers/dense_2", &[9, 9]),
        ];
        let told = places(&file(&spare, "")).expect_err("one too many");
        assert!(told.contains("takes its `more` 0 (9, 9), 1 (9)"), "{told}");
        let twice = [
            layers[0],
            layers[1],
            layers[2],
            (Some("c"), "layers/dense_2", &[3, 3]),
        ];
        let told = places(&file(&twice, "")).expect_err("two of a name");
        assert!(
            told.contains("c may be `layers/dense` or `layers/dense_2`"),
            "{told}"
        );
        let wide = [
            layers[0],
            (Some("c"), "layers/dense", &[4, 3][..]),
            layers[2],
        ];
        let told = places(&file(&wide, "")).expect_err("another shape");
        assert!(
            told.contains("c has kernel (3, 3), bias (3), and the file's `c` 0 (4, 3)"),
            "{told}"
        );
        // One name that is ours by chance, and shapes that decide for another layer.
        let chance = [
            (Some("c"), "layers/dense_1", &[3, 2][..]),
            (Some("b"), "layers/dense", &[3, 3]),
            layers[2],
        ];
        let found = places(&file(&chance, "")).expect("shapes");
        assert_eq!(found[4], "d/kernel layers/dense_1/vars/0");
    }

    /// A depthwise kernel has two names in Keras, and a separable layer two kernels.
    #[test]
    fn kernels_of_one_channel_are_found_by_either_name() {
        let mut b = Builder::new();
        let image = b.input("image", [4, 4, 2]);
        let window = Window::square(3, 1, Same);
        let x = b.layer("deep", DepthwiseConv2D::new(window), &[image]);
        let x = b.layer(
            "apart",
            SeparableConv2D::new(3, window),
            &[x.expect("an image")],
        );
        let x = b.global_average_pool("gap", x.expect("an image"));
        let logits = b.dense("d", x, 2, false);
        let model = b.model("small", logits);
        for deep in ["kernel", "depthwise_kernel"] {
            let named = |layer: &str, name: &str, shape: &[u64]| {
                let tensor = FileTensor {
                    place: format!("{layer}/{name}"),
                    suffix: Suffix::Name(name.into()),
                    shape: shape.to_vec(),
                };
                (Some(layer.to_string()), layer.to_string(), tensor)
            };
            let tensors = [
                named("deep", "bias", &[2]),
                named("deep", deep, &[3, 3, 2, 1]),
                named("apart", "bias", &[3]),
                named("apart", "pointwise_kernel", &[1, 1, 2, 3]),
                named("apart", "depthwise_kernel", &[3, 3, 2, 1]),
                named("d", "kernel", &[3, 2]),
                named("d", "bias", &[2]),
            ];
            let found = Found {
                layers: grouped(tensors),
                ..file(&[], "")
            };
            let pairs = assign(&found, &model).expect("all names are there");
            let places: Vec<String> = pairs.iter().map(|pair| pair.place()).collect();
            assert_eq!(places[0], format!("deep/{deep}"));
            assert_eq!(
                places[2..5],
                [
                    "apart/depthwise_kernel",
                    "apart/pointwise_kernel",
                    "apart/bias"
                ]
            );
        }
    }

    #[test]
    fn a_layer_that_was_made_otherwise_is_refused() {
        let layers = [
            (Some("d"), "layers/dense_1", &[3, 2][..]),
            (Some("c"), "layers/dense", &[3, 3]),
            (Some("a.b"), "layers/conv2d", CONV),
        ];
        let config = |strides: &str| {
            format!(
                r#"{{"config": {{"layers": [{{"class_name": "Conv2D", "config":
                {{"name": "a.b", "strides": {strides}, "padding": "same", "filters": 3}}}}]}}}}"#
            )
        };
        assert!(places(&file(&layers, &config("[1, 1]"))).is_ok());
        let told = places(&file(&layers, &config("[2, 2]"))).expect_err("other strides");
        assert!(
            told.contains("`a.b` has strides [2,2], and a/b [1,1]"),
            "{told}"
        );
        let dilated = config("[1, 1], \"dilation_rate\": [2, 2]");
        let told = places(&file(&layers, &dilated)).expect_err("a dilation");
        assert!(
            told.contains("has dilation_rate [2,2], and a/b [1,1]"),
            "{told}"
        );
        let begun = config("[1, 1], \"dilation_rate\": [1, 1], \"kernel_initializer\": {}");
        assert!(places(&file(&layers, &begun)).is_ok());
    }
}
