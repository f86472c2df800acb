//! What a text means: the same layers, names and numbers as what is written through the builder.

use fer_gpu::graph::{TensorId, Window};
use fer_gpu::network::{Builder, Model, Network};
use fer_gpu::ops::conv2d::Padding::Same;

fn network(layers: &str) -> Network {
    let text = format!("name = \"net\"\nimage = [12, 12, 1]\n{layers}");
    Network::from_text("net.toml", &text).unwrap_or_else(|error| panic!("{error}"))
}

/// Everything that a plan follows from.
fn told(model: &Model) -> String {
    let node = |node: &fer_gpu::graph::Node| {
        let (kind, config) = (node.layer.kind(), node.layer.config());
        let numbers = (&node.inputs, &node.outputs, &node.own);
        format!("{} {kind} {config} {numbers:?}\n", node.name)
    };
    let tensor = |tensor: &fer_gpu::graph::Tensor| format!("{tensor:?}\n");
    let tensors = model.graph.tensors.iter().map(tensor);
    let nodes = model.graph.nodes.iter().map(node);
    let heads = model.heads.iter().map(|head| format!("{head:?}\n"));
    let rows = model.layers.iter().map(|row| format!("{row:?}\n"));
    tensors.chain(nodes).chain(heads).chain(rows).collect()
}

/// The seed article's module, as it was written in Rust before there were files.
fn module(b: &mut Builder, name: &str, x: TensorId) -> TensorId {
    let conv = |b: &mut Builder, part: &str, x, size| {
        let window = Window::square(size, 1, Same);
        b.conv2d(&format!("{name}/{part}"), x, 10, window, true)
    };
    let reduce3 = conv(b, "3x3_reduce", x, 1);
    let reduce5 = conv(b, "5x5_reduce", x, 1);
    let conv3 = conv(b, "3x3", reduce3, 3);
    let conv5 = conv(b, "5x5", reduce5, 5);
    let pooled = b.max_pool2d(&format!("{name}/pool"), x, Window::square(3, 1, Same));
    let projected = conv(b, "pool_proj", pooled, 1);
    b.concat(name, &[conv3, conv5, projected])
}

fn seed(name: &str, modules: u32) -> Model {
    let mut b = Builder::new();
    let mut x = b.input("image", [48, 48, 1]);
    for number in 1..=modules {
        x = module(&mut b, &format!("mid_{number}"), x);
    }
    let x = b.flatten("flat_1", x);
    let x = b.dense("dense_1", x, 1200, true);
    let x = b.dense("dense_2", x, 600, true);
    let x = b.dense("dense_3", x, 150, true);
    let logits = b.dense("output", x, 7, false);
    b.model(name, logits)
}

#[test]
fn the_seed_networks_are_what_they_were_in_rust() {
    for (name, modules) in [("inception", 1), ("inception-2", 2), ("inception-3", 3)] {
        let network = Network::find(name).expect("one of the box");
        assert_eq!(told(&network.build(7)), told(&seed(name, modules)));
    }
    let mut b = Builder::new();
    let image = b.input("image", [48, 48, 1]);
    let x = module(&mut b, "mid_1", image);
    let x = b.global_average_pool("gap", x);
    let x = b.dense("dense_1", x, 150, true);
    let logits = b.dense("output", x, 7, false);
    let network = Network::find("inception-gap").expect("one of the box");
    assert_eq!(
        told(&network.build(7)),
        told(&b.model("inception-gap", logits))
    );
}

const LAYERS: [&str; 5] = [
    "[[layer]]\ntype = \"Conv2D\"\nname = \"a\"\nfilters = 4\nkernel_size = 3\n",
    "[[layer]]\ntype = \"MaxPooling2D\"\nname = \"b\"\ninputs = [\"a\"]\n",
    "[[layer]]\ntype = \"AveragePooling2D\"\nname = \"c\"\ninputs = [\"a\"]\n",
    "[[layer]]\ntype = \"Add\"\nname = \"d\"\ninputs = [\"b\", \"c\"]\n",
    "[[layer]]\ntype = \"GlobalAveragePooling2D\"\nname = \"e\"\ninputs = [\"d\"]\n",
];
const LAST: &str = "[[layer]]\ntype = \"Dense\"\ninputs = [\"e\"]\nunits = \"classes\"\n";

/// A layer may stand before those that it reads.
#[test]
fn layers_may_stand_in_any_order() {
    let names = |model: &Model| -> Vec<String> {
        model.layers.iter().map(|row| row.name.clone()).collect()
    };
    let first = format!(
        "{}{LAST}",
        LAYERS
            .concat()
            .replace("\"a\"\nfilters", "\"a\"\ninputs = [\"image\"]\nfilters")
    );
    let ordered = network(&first).build(3);
    assert_eq!(names(&ordered), ["image", "a", "b", "c", "d", "e", "dense"]);
    let mut turned =
        LAYERS.map(|text| text.replace("\"a\"\nfilters", "\"a\"\ninputs = [\"image\"]\nfilters"));
    turned.reverse();
    let turned = network(&format!("{}{LAST}", turned.concat())).build(3);
    // What is free is computed in the text's order.
    assert_eq!(names(&turned), ["image", "a", "c", "b", "d", "e", "dense"]);
    assert_eq!(turned.parameters(), ordered.parameters());
}

#[test]
fn layers_without_names_are_numbered_as_in_keras() {
    let conv = "[[layer]]\ntype = \"Conv2D\"\nfilters = 4\nkernel_size = 3\n";
    let end = "[[layer]]\ntype = \"Flatten\"\n[[layer]]\ntype = \"Dense\"\nunits = 3\n[[layer]]\ntype = \"Dense\"\nunits = \"classes\"\n";
    let model = network(&format!("{conv}{conv}{conv}{end}")).build(2);
    let names: Vec<&str> = model.layers.iter().map(|row| row.name.as_str()).collect();
    let expected = [
        "image", "conv2d", "conv2d_1", "conv2d_2", "flatten", "dense", "dense_1",
    ];
    assert_eq!(names, expected);
    let held: Vec<&str> = model
        .graph
        .held()
        .map(|id| model.graph.tensors[id].name.as_str())
        .collect();
    assert!(held.contains(&"conv2d_1/kernel") && held.contains(&"dense_1/bias"));
}

/// Keras's habit: the loss takes logits, so a softmax at a head is left out, in either of its forms.
#[test]
fn a_softmax_at_a_head_is_left_out() {
    let gap = "[[layer]]\ntype = \"GlobalAveragePooling2D\"\nname = \"gap\"\n";
    let dense = "[[layer]]\ntype = \"Dense\"\nname = \"output\"\nunits = \"classes\"\n";
    let plain = network(&format!("{gap}{dense}")).build(4);
    for end in [
        "activation = \"softmax\"\n",
        "[[layer]]\ntype = \"Activation\"\nactivation = \"softmax\"\n",
    ] {
        let model = network(&format!("{gap}{dense}{end}")).build(4);
        assert_eq!(told(&model), told(&plain));
    }
}

#[test]
fn further_heads_have_names_and_weights() {
    let text = "
[[layer]]
type = \"GlobalAveragePooling2D\"
name = \"gap\"

[[layer]]
type = \"Dense\"
name = \"aux/output\"
units = \"classes\"
activation = \"softmax\"

[[layer]]
type = \"Dense\"
name = \"other\"
inputs = [\"gap\"]
units = \"classes\"

[[layer]]
type = \"Dense\"
name = \"output\"
inputs = [\"gap\"]
units = \"classes\"

[[head]]
layer = \"aux/output\"
name = \"aux\"
weight = 0.3

[[head]]
layer = \"other\"
";
    let model = network(text).build(5);
    let heads: Vec<(&str, f32)> = model
        .heads
        .iter()
        .map(|head| (head.name.as_str(), head.weight))
        .collect();
    assert_eq!(heads, [("", 1.0), ("aux", 0.3), ("other", 1.0)]);
    let logits = |name: &str| {
        let row = model.layers.iter().find(|row| row.name == name);
        row.expect(name).output
    };
    let found: Vec<TensorId> = model.heads.iter().map(|head| head.logits).collect();
    assert_eq!(found, ["output", "aux/output", "other"].map(logits));
}

/// Branches of an Inception: those that have filters.
#[test]
fn an_inception_has_the_branches_that_have_filters() {
    let end = "[[layer]]\ntype = \"GlobalAveragePooling2D\"\n[[layer]]\ntype = \"Dense\"\nunits = \"classes\"\n";
    let rows = |arguments: &str| -> Vec<String> {
        let text = format!("[[layer]]\ntype = \"Inception\"\nname = \"m\"\n{arguments}\n{end}");
        let model = network(&text).build(2);
        let inner = model.layers.iter().filter(|row| row.name.starts_with('m'));
        inner
            .map(|row| {
                let shape = model.graph.shape(row.output).nhwc();
                format!("{} {} <- {}", row.name, shape[3], row.inputs.join(" "))
            })
            .collect()
    };
    assert_eq!(
        rows(
            "filters = { \"1x1\" = 1, \"3x3_reduce\" = 2, \"3x3\" = 3, \"5x5_reduce\" = 4, \"5x5\" = 5, \"pool_proj\" = 6 }"
        ),
        [
            "m/1x1 1 <- image",
            "m/3x3_reduce 2 <- image",
            "m/5x5_reduce 4 <- image",
            "m/3x3 3 <- m/3x3_reduce",
            "m/5x5 5 <- m/5x5_reduce",
            "m/pool 1 <- image",
            "m/pool_proj 6 <- m/pool",
            "m 15 <- m/1x1 m/3x3 m/5x5 m/pool_proj",
        ]
    );
    assert_eq!(
        rows(
            "double_3x3 = true\npool = \"none\"\nfilters = { \"3x3\" = 3, \"5x5_middle\" = 4, \"5x5\" = 5 }"
        ),
        [
            "m/3x3 3 <- image",
            "m/5x5_middle 4 <- image",
            "m/5x5 5 <- m/5x5_middle",
            "m 8 <- m/3x3 m/5x5",
        ]
    );
    assert_eq!(
        rows("pool = \"average\"\nfilters = { \"1x1\" = 3 }"),
        [
            "m/1x1 3 <- image",
            "m/pool 1 <- image",
            "m 4 <- m/1x1 m/pool"
        ]
    );
}

/// The way around is the input where it fits, else a convolution.
#[test]
fn a_residual_leads_around_its_convolutions() {
    let end = "[[layer]]\ntype = \"GlobalAveragePooling2D\"\n[[layer]]\ntype = \"Dense\"\nunits = \"classes\"\n";
    let rows = |arguments: &str| -> Vec<String> {
        let text = format!(
            "[[layer]]\ntype = \"Residual\"\nname = \"r\"\nbatch_norm = false\n{arguments}\n{end}"
        );
        let model = network(&text).build(2);
        let inner = model.layers.iter().filter(|row| row.name.starts_with('r'));
        inner
            .map(|row| {
                let tensor = &model.graph.tensors[row.output];
                let [_, height, _, channels] = tensor.shape.nhwc();
                let inputs = row.inputs.join(" ");
                format!("{} {height} {channels} <- {inputs}", tensor.name)
            })
            .collect()
    };
    assert_eq!(
        rows("filters = 1"),
        [
            "r/conv_1/relu 12 1 <- image",
            "r/conv_2 12 1 <- r/conv_1",
            "r/relu 12 1 <- r/conv_2 image"
        ]
    );
    assert_eq!(
        rows("filters = 4\nstrides = 2\noutput_activation = \"linear\""),
        [
            "r/conv_1/relu 6 4 <- image",
            "r/conv_2 6 4 <- r/conv_1",
            "r/shortcut 6 4 <- image",
            "r 6 4 <- r/conv_2 r/shortcut",
        ]
    );
    assert_eq!(
        rows("filters = 4\nstrides = 2\ndownsample = \"pool\""),
        [
            "r/conv_1/relu 12 4 <- image",
            "r/conv_2 12 4 <- r/conv_1",
            "r/pool 6 4 <- r/conv_2",
            "r/shortcut 6 4 <- image",
            "r/relu 6 4 <- r/pool r/shortcut",
        ]
    );
}
