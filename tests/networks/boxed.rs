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

/// By an independent count, in Python.
#[test]
fn parameters_and_multiply_adds() {
    for (name, classes, parameters, millions) in [
        ("inception", 7, 83_760_487, None),
        ("inception-gap", 7, 9_187, None),
        ("mollahosseini", 7, 7_346_343, Some(47.3)),
        ("mini-xception", 7, 58_423, None),
    ] {
        let model = build(name, classes);
        let (found, work) = without_further_heads(&model);
        assert_eq!(found, parameters, "{name}");
        assert_eq!(model.parameters(), parameters, "{name}");
        if let Some(millions) = millions {
            let found = (work as f64 / 1e5).round() / 10.0;
            assert_eq!(found, millions, "{name}");
        }
    }
}
