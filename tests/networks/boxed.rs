//! The networks of the box have the sizes that their sources give them.

use fer_gpu::network::{LayerRow, Model, Network};

fn build(name: &str, classes: u32) -> Model {
    Network::find(name).expect(name).build(classes)
}

/// Numbers and products of the layers that a prediction needs.
fn without_further_heads(model: &Model) -> (usize, u64) {
    let further: Vec<&str> = model.heads[1..]
        .iter()
        .map(|head| head.name.as_str())
        .collect();
    let needed = |row: &&LayerRow| {
        let (block, _) = row.name.split_once('/').unwrap_or((&row.name, ""));
        !further.contains(&block)
    };
    let rows = || model.layers.iter().filter(needed);
    let parameters = rows().map(|row| row.parameters).sum();
    (parameters, rows().map(|row| row.multiply_adds).sum())
}

/// By an independent count, in Python; of GoogLeNet without its auxiliary heads, as the paper counts it.
#[test]
fn parameters_and_multiply_adds() {
    for (name, classes, parameters, millions) in [
        ("inception", 7, 83_760_487, 91.7),
        ("inception-gap", 7, 9_187, 7.9),
        ("googlenet", 1000, 6_998_552, 1582.7),
        ("mollahosseini", 7, 7_346_343, 47.3),
        ("mini-xception", 7, 58_423, 5.5),
        // Moving statistics counted.
        ("fer-inception", 7, 383_263, 35.1),
    ] {
        let model = build(name, classes);
        let (found, work) = without_further_heads(&model);
        assert_eq!(found, parameters, "{name}");
        let rounded = (work as f64 / 1e5).round() / 10.0;
        assert_eq!(rounded, millions, "{name}");
        if model.heads.len() == 1 {
            assert_eq!(model.parameters(), parameters, "{name}");
            assert_eq!(model.multiply_adds(), work, "{name}");
        }
    }
    assert_eq!(build("fer-inception", 7).trainable(), 380_239);
}

#[test]
fn both_forms_of_googlenet_have_two_auxiliary_heads() {
    for name in ["googlenet", "googlenet-48"] {
        let model = build(name, 7);
        let heads = model
            .heads
            .iter()
            .map(|head| (head.name.as_str(), head.weight));
        assert!(
            heads.eq([("", 1.0), ("aux1", 0.3), ("aux2", 0.3)]),
            "{name}"
        );
    }
    // 48 x 48 pixels reach the modules as 12 x 12, 6 x 6 and 3 x 3.
    let model = build("googlenet-48", 7);
    for (module, size) in [
        ("3a", 12),
        ("3b", 12),
        ("4a", 6),
        ("4e", 6),
        ("5a", 3),
        ("5b", 3),
    ] {
        let row = model.layers.iter().find(|row| row.name == module);
        let [_, height, width, _] = model.graph.shape(row.expect(module).output).nhwc();
        assert_eq!([height, width], [size; 2], "{module}");
    }
}
