//! Networks as pictures: every layer is there, nothing in a name breaks a file, and what is drawn is well-formed.
//!
//! `FER_GPU_PICTURES=DIR` keeps the pictures for whoever wants to look at them.

use fer_gpu::drawing::{self, Options};
use fer_gpu::graph::{TensorId, Window};
use fer_gpu::layers::{Add, AveragePooling2D};
use fer_gpu::network::{Builder, Head, Model, NETWORKS};
use fer_gpu::ops::conv2d::Padding::{Same, Valid};
use std::path::Path;
use std::process::{Command, Output};

/// Nine blocks as in table 1 of Szegedy et al. 2014, two auxiliary heads.
fn googlenet() -> Model {
    let mut b = Builder::new();
    let x = b.input("image", [224, 224, 3]);
    let x = b.conv2d("conv1", x, 64, Window::square(7, 2, Same), true);
    let x = b.max_pool2d("pool1", x, Window::square(3, 2, Same));
    let x = b.conv2d("conv2/3x3_reduce", x, 64, Window::square(1, 1, Same), true);
    let x = b.conv2d("conv2/3x3", x, 192, Window::square(3, 1, Same), true);
    let mut x = b.max_pool2d("pool2", x, Window::square(3, 2, Same));
    let mut auxiliary = Vec::new();
    for (name, widths) in [
        ("3a", [64, 96, 128, 16, 32, 32]),
        ("3b", [128, 128, 192, 32, 96, 64]),
        ("4a", [192, 96, 208, 16, 48, 64]),
        ("4b", [160, 112, 224, 24, 64, 64]),
        ("4c", [128, 128, 256, 24, 64, 64]),
        ("4d", [112, 144, 288, 32, 64, 64]),
        ("4e", [256, 160, 320, 32, 128, 128]),
        ("5a", [256, 160, 320, 32, 128, 128]),
        ("5b", [384, 192, 384, 48, 128, 128]),
    ] {
        x = block(&mut b, name, x, widths);
        match name {
            "3b" | "4e" => {
                x = b.max_pool2d(
                    &format!("pool{}", &name[..1]),
                    x,
                    Window::square(3, 2, Same),
                );
            }
            "4a" => auxiliary.push(Head::auxiliary("aux1", aux(&mut b, "aux1", x), 0.3)),
            "4d" => auxiliary.push(Head::auxiliary("aux2", aux(&mut b, "aux2", x), 0.3)),
            _ => {}
        }
    }
    let x = b.global_average_pool("pool5", x);
    let logits = b.dense("output", x, 1000, false);
    let heads = [Head::main(logits)].into_iter().chain(auxiliary);
    b.model_with_heads("googlenet", heads.collect())
}

fn block(b: &mut Builder, name: &str, x: TensorId, widths: [u32; 6]) -> TensorId {
    let [one, reduce3, three, reduce5, five, pool] = widths;
    let mut conv = |part: &str, x, filters, size| {
        let window = Window::square(size, 1, Same);
        b.conv2d(&format!("{name}/{part}"), x, filters, window, true)
    };
    let one = conv("1x1", x, one, 1);
    let three = {
        let reduced = conv("3x3_reduce", x, reduce3, 1);
        conv("3x3", reduced, three, 3)
    };
    let five = {
        let reduced = conv("5x5_reduce", x, reduce5, 1);
        conv("5x5", reduced, five, 5)
    };
    let pooled = b.max_pool2d(&format!("{name}/pool"), x, Window::square(3, 1, Same));
    let window = Window::square(1, 1, Same);
    let pool = b.conv2d(&format!("{name}/pool_proj"), pooled, pool, window, true);
    b.concat(name, &[one, three, five, pool])
}

fn aux(b: &mut Builder, name: &str, x: TensorId) -> TensorId {
    let of = |part: &str| format!("{name}/{part}");
    let pool = AveragePooling2D(Window::square(5, 3, Valid));
    let x = b.layer(&of("pool"), pool, &[x]).expect("a layer");
    let x = b.conv2d(&of("conv"), x, 128, Window::square(1, 1, Same), true);
    let x = b.flatten(&of("flat"), x);
    let x = b.dense(&of("dense"), x, 1024, true);
    b.dense(&of("output"), x, 1000, false)
}

/// Blocks within blocks, a shortcut around each, a frozen layer, a shared one, and names that quote.
fn nested() -> Model {
    let mut b = Builder::new();
    let x = b.input("image", [48, 48, 3]);
    let same = Window::square(3, 1, Same);
    let mut x = b.conv2d("stem", x, 24, same, true);
    for stage in ["a", "b"] {
        for unit in 1..3 {
            let of = |part: &str| format!("stage {stage}/unit {unit}/{part}");
            let left = b.conv2d(&of("left/1"), x, 12, same, true);
            let left = b.conv2d(&of("left/2"), left, 12, same, true);
            let right = b.conv2d(&of("<right> & \"more\""), x, 12, same, true);
            let joined = b.concat(&of("join"), &[left, right]);
            x = b.layer(&of("sum"), Add, &[joined, x]).expect("a layer");
        }
        let pooled = b.max_pool2d(&format!("stage {stage}"), x, Window::square(2, 2, Same));
        x = pooled;
    }
    let x = b.global_average_pool("gap", x);
    let logits = b.dense("output", x, 7, false);
    b.freeze("stage a/");
    b.model("nested", logits)
}

fn keep(name: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("FER_GPU_PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join(name), bytes).expect("it is written");
    }
}

fn all() -> Vec<Model> {
    let boxed = NETWORKS.iter().map(|network| network.build(7));
    boxed.chain([googlenet(), nested()]).collect()
}

/// A rectangle of the picture: left, right, top, bottom.
type Sides = [f64; 4];

/// What an SVG shows.
struct Seen {
    /// Of each box, the first line of its tooltip and where it lies.
    boxes: Vec<(String, Sides)>,
    frames: Vec<(String, Sides)>,
    /// Each edge's points, close together.
    edges: Vec<Vec<[f64; 2]>>,
    size: [f64; 2],
    texts: Vec<String>,
}

fn seen(svg: &str) -> Seen {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    let number = |node: roxmltree::Node, name: &str| -> f64 {
        let value = node.attribute(name).expect(name);
        value.parse().expect("a number")
    };
    let mut seen = Seen {
        boxes: Vec::new(),
        frames: Vec::new(),
        edges: Vec::new(),
        size: ["width", "height"].map(|name| number(document.root_element(), name)),
        texts: Vec::new(),
    };
    for node in document.descendants() {
        let title = || {
            let parent = node.parent_element().expect("a group");
            let title = parent.children().find(|child| child.has_tag_name("title"));
            let text = title.and_then(|title| title.text()).unwrap_or_default();
            text.lines().next().unwrap_or_default().to_string()
        };
        match node.tag_name().name() {
            "rect" if node.parent_element() != Some(document.root_element()) => {
                let [x, y, w, h] = ["x", "y", "width", "height"].map(|name| number(node, name));
                let is_frame = node.attribute("rx") == Some("14") && h > 30.0;
                let of = if is_frame {
                    &mut seen.frames
                } else {
                    &mut seen.boxes
                };
                of.push((title(), [x, x + w, y, y + h]));
            }
            "path" if title().contains(": ") => {
                seen.edges.push(points(node.attribute("d").expect("d")))
            }
            "text" => {
                let spans = node.children().filter_map(|span| span.text());
                seen.texts.push(spans.collect());
            }
            _ => {}
        }
    }
    seen
}

/// Points along a path of M, L and C.
fn points(path: &str) -> Vec<[f64; 2]> {
    let mut points: Vec<[f64; 2]> = Vec::new();
    let mut rest = path;
    while let Some(step) = rest.chars().next() {
        let behind = &rest[1..];
        let end = behind
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let numbers = behind[..end]
            .split_whitespace()
            .map(|n| n.parse().expect("a number"));
        let numbers: Vec<f64> = numbers.collect();
        rest = &behind[end..];
        match (step, &numbers[..], points.last().copied()) {
            ('M', &[x, y], _) => points.push([x, y]),
            ('L', &[x, y], Some(from)) => {
                let at = |t: f64| [from[0] + t * (x - from[0]), from[1] + t * (y - from[1])];
                points.extend((1..=20).map(|i| at(f64::from(i) / 20.0)));
            }
            ('C', &[ax, ay, bx, by, x, y], Some(from)) => {
                let along = |t: f64, p: [f64; 4]| {
                    let s = 1.0 - t;
                    s * s * s * p[0]
                        + 3.0 * s * s * t * p[1]
                        + 3.0 * s * t * t * p[2]
                        + t * t * t * p[3]
                };
                let at = |t| {
                    [
                        along(t, [from[0], ax, bx, x]),
                        along(t, [from[1], ay, by, y]),
                    ]
                };
                points.extend((1..=20).map(|i| at(f64::from(i) / 20.0)));
            }
            // A tip.
            ('Z', [], Some(_)) => {}
            other => panic!("{other:?} in {path}"),
        }
    }
    points
}

fn apart(a: &Sides, b: &Sides) -> bool {
    a[1] <= b[0] || b[1] <= a[0] || a[3] <= b[2] || b[3] <= a[2]
}

fn inside(inner: &Sides, outer: &Sides) -> bool {
    outer[0] <= inner[0] && inner[1] <= outer[1] && outer[2] <= inner[2] && inner[3] <= outer[3]
}

/// Boxes lie on the paper, beside each other, in the frames that are named as they are and in no other's way; no
/// edge passes over one.
fn nothing_overlaps(seen: &Seen) {
    let Seen {
        boxes,
        frames,
        edges,
        size,
        ..
    } = seen;
    let paper = [0.0, size[0], 0.0, size[1]];
    for (i, (title, a)) in boxes.iter().enumerate() {
        assert!(inside(a, &paper), "{title}");
        for (other, b) in &boxes[i + 1..] {
            assert!(apart(a, b), "{title} and {other} overlap");
        }
        for (frame, b) in frames {
            let named = title == frame || title.starts_with(&format!("{frame}/"));
            assert!(apart(a, b) || inside(a, b), "{title} and the frame {frame}");
            assert!(!named || inside(a, b), "{title} is not in {frame}");
        }
        let [left, right, top, bottom] = a;
        let within = |[x, y]: &[f64; 2]| {
            left + 1.0 < *x && *x < right - 1.0 && top + 1.0 < *y && *y < bottom - 1.0
        };
        let over = edges.iter().find(|edge| edge.iter().any(within));
        assert!(over.is_none(), "an edge passes over {title}: {over:?}");
    }
    for (i, (frame, a)) in frames.iter().enumerate() {
        for (other, b) in &frames[i + 1..] {
            assert!(apart(a, b) || inside(b, a), "{frame} and {other}");
        }
    }
}

#[test]
fn every_layer_has_a_box_and_nothing_lies_over_it() {
    for model in all() {
        for shapes in [false, true] {
            let svg = drawing::svg(&model, &Options { shapes });
            let name = format!("{}{}", model.name, if shapes { "-shapes" } else { "" });
            keep(&format!("{name}.svg"), svg.as_bytes());
            assert_eq!(
                svg,
                drawing::svg(&model, &Options { shapes }),
                "it is the same again"
            );
            let seen = seen(&svg);
            let Seen { boxes, texts, .. } = &seen;
            for row in &model.layers {
                let named = boxes.iter().filter(|(title, _)| *title == row.name);
                assert_eq!(named.count(), 1, "{}", row.name);
                let last = row.name.rsplit('/').next().expect("a name");
                assert!(texts.iter().any(|text| text.ends_with(last)), "{last}");
                assert!(
                    texts.iter().any(|text| text.starts_with(row.kind)),
                    "{}",
                    row.kind
                );
            }
            let heads = if model.heads.len() > 1 {
                model.heads.len()
            } else {
                0
            };
            assert_eq!(boxes.len(), model.layers.len() + heads);
            nothing_overlaps(&seen);
            let told = texts.iter().any(|text| text == "no parameters");
            assert_eq!(
                told, shapes,
                "shapes and parameters are told where they are asked for"
            );
        }
    }
}

#[test]
fn blocks_are_framed_within_each_other() {
    let frames = |model: &Model| {
        let frames = seen(&drawing::svg(model, &Options::default())).frames;
        frames.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let blocks = [
        "conv2", "3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b", "aux1", "aux2",
    ];
    let mut found = frames(&googlenet());
    found.sort();
    let mut blocks = blocks.to_vec();
    blocks.sort();
    assert_eq!(found, blocks);
    let found = frames(&nested());
    assert_eq!(found.len(), 2 * (1 + 2 * 2), "{found:?}");
    assert!(found.contains(&"stage b/unit 2/left".into()), "{found:?}");
}

/// `a` before and behind what is no part of it is no block.
#[test]
fn a_block_that_something_outside_parts_has_no_frame() {
    let mut b = Builder::new();
    let x = b.input("image", [8, 8, 1]);
    let window = Window::square(1, 1, Same);
    let mut x = x;
    for name in ["a/1", "between", "a/2", "b/1", "b/2", "c/only"] {
        x = b.conv2d(name, x, 2, window, false);
    }
    let x = b.global_average_pool("gap", x);
    let logits = b.dense("output", x, 2, false);
    let seen = seen(&drawing::svg(
        &b.model("parted", logits),
        &Options::default(),
    ));
    let frames: Vec<&str> = seen.frames.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(frames, ["b"]);
}

#[test]
fn a_shared_and_a_frozen_layer_say_so() {
    let mut b = Builder::new();
    let x = b.input("image", [8, 8, 3]);
    let window = Window::square(3, 1, Same);
    let x = b.conv2d("first", x, 3, window, false);
    let x = b.again("second", "first", &[x]).expect("the same shapes");
    let x = b.global_average_pool("gap", x);
    let logits = b.dense("output", x, 2, false);
    b.freeze("first");
    let model = b.model("shared", logits);
    let texts = seen(&drawing::svg(&model, &Options { shapes: true })).texts;
    for told in [
        "parameters of first",
        "84 parameters, frozen",
        "8×8×3 → 8×8×3",
        "8 parameters",
    ] {
        assert!(texts.iter().any(|text| text == told), "{told}: {texts:?}");
    }
}

#[test]
fn a_png_shows_the_same_twice_as_large() {
    for model in all() {
        let options = Options::default();
        let bytes = drawing::png(&model, &options).expect("a picture");
        keep(&format!("{}.png", model.name), &bytes);
        let picture = image::load_from_memory(&bytes).expect("a PNG").to_rgb8();
        let Seen { size, boxes, .. } = seen(&drawing::svg(&model, &options));
        assert_eq!(
            [picture.width(), picture.height()].map(f64::from),
            size.map(|side| 2.0 * side)
        );
        for (title, [left, right, top, bottom]) in boxes {
            let mut ink = 0;
            let mut fill = std::collections::HashMap::new();
            for y in (2.0 * top) as u32 + 4..(2.0 * bottom) as u32 - 4 {
                for x in (2.0 * left) as u32 + 20..(2.0 * right) as u32 - 20 {
                    let [r, g, b] = picture.get_pixel(x, y).0;
                    ink += usize::from(u32::from(r) + u32::from(g) + u32::from(b) < 300);
                    *fill.entry([r, g, b]).or_insert(0) += 1;
                }
            }
            let (colour, _) = fill
                .into_iter()
                .max_by_key(|(_, count)| *count)
                .expect("pixels");
            assert!(ink > 50, "{title}: no letters");
            assert_ne!(colour, [0xfc, 0xfb, 0xf8], "{title} is paper");
        }
    }
}

#[test]
fn graphviz_gets_every_layer_edge_and_block() {
    for model in all() {
        let dot = drawing::dot(&model, &Options { shapes: true });
        keep(&format!("{}.dot", model.name), dot.as_bytes());
        let edges: usize = model.layers.iter().map(|row| row.inputs.len()).sum();
        let heads = if model.heads.len() > 1 {
            model.heads.len()
        } else {
            0
        };
        assert_eq!(dot.matches(" -> n").count(), edges + heads);
        assert_eq!(dot.matches("[label=").count(), model.layers.len() + heads);
        assert_eq!(dot.matches('{').count(), dot.matches('}').count());
        let frames = seen(&drawing::svg(&model, &Options::default())).frames;
        assert_eq!(dot.matches("subgraph").count(), frames.len());
    }
    let dot = drawing::dot(&nested(), &Options::default());
    assert!(dot.contains(r#""<right> & \"more\"\nConv2D"#), "{dot}");
}

fn plot(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fer-gpu"));
    command
        .arg("plot-model")
        .args(arguments)
        .current_dir(folder);
    command.output().expect("the command runs")
}

#[test]
fn the_command_writes_what_the_ending_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for (name, begins) in [
        ("a.svg", &b"<svg "[..]),
        ("a.PNG", b"\x89PNG"),
        ("a.dot", b"digraph "),
    ] {
        let done = plot(
            folder,
            &["--model", "inception-gap", "--shapes", "-o", name],
        );
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let bytes = std::fs::read(folder.join(name)).expect("a file");
        assert!(bytes.starts_with(begins), "{name}");
        assert!(String::from_utf8_lossy(&done.stdout).contains(name));
    }
    let done = plot(
        folder,
        &["--model", "inception-gap", "--classes", "3", "-o", "-"],
    );
    let svg = String::from_utf8(done.stdout).expect("text");
    assert!(
        seen(&svg)
            .texts
            .iter()
            .any(|text| text.ends_with("3 classes"))
    );
    for refused in [
        &["-o", "a.jpg"][..],
        &["-o", "picture"],
        &["-o", "nowhere/a.svg"],
        &["--model", "resnet", "-o", "b.svg"],
        &["--classes", "0", "-o", "b.svg"],
    ] {
        let done = plot(folder, refused);
        assert_eq!(done.status.code(), Some(2), "{refused:?}");
        let told = String::from_utf8_lossy(&done.stderr).to_string();
        assert!(
            told.starts_with("error: ") && !told.contains("panicked"),
            "{told}"
        );
    }
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|e| e.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["a.PNG", "a.dot", "a.svg"],
        "nothing else is written"
    );
}
