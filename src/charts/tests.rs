//! Pictures are XML, hold what they are given, and take whatever a run can come to.

use super::*;

fn epoch(epoch: u32, val_loss: f64) -> Epoch {
    Epoch {
        epoch,
        loss: 2.0 / f64::from(epoch),
        accuracy: 1.0 - 0.8 / f64::from(epoch),
        val_loss,
        val_accuracy: 0.5,
        learning_rate: 0.001,
    }
}

fn run(name: &str, count: u32) -> Curve {
    let val_loss = |e: u32| 1.0 + (f64::from(e) - 10.0).powi(2) / 1e4;
    Curve {
        name: name.into(),
        epochs: (1..=count).map(|e| epoch(e, val_loss(e))).collect(),
        best: (count > 0).then_some(count.min(10)),
    }
}

/// Reads a picture as XML: every tag closes, attributes are quoted, text has no stray sign; gives the tags.
fn parse(xml: &str) -> Vec<String> {
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        assert!(
            !text.contains('>') || open.last() == Some(&"style"),
            "{text}"
        );
        for part in text.split('&').skip(1) {
            let entity = part.split(';').next();
            assert!(
                ["amp", "lt", "gt", "quot", "#39"]
                    .map(Some)
                    .contains(&entity),
                "{text}"
            );
        }
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        assert!(
            !tag.contains('<') && tag.matches('"').count().is_multiple_of(2),
            "{tag}"
        );
        let name = tag
            .split([' ', '/'])
            .find(|part| !part.is_empty())
            .expect("a name");
        match tag {
            tag if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "{tag}"),
            tag if tag.ends_with('/') => {}
            _ => open.push(name),
        }
        tags.push(tag.to_string());
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?}");
    tags
}

/// Every number of an attribute is one.
fn sound(xml: &str) -> Vec<String> {
    let tags = parse(xml);
    assert!(
        !xml.contains("NaN\"") && !xml.contains("inf\"") && !xml.contains("NaN,"),
        "{xml}"
    );
    for name in [
        " x=\"",
        " y=\"",
        " width=\"",
        " height=\"",
        " cx=\"",
        " cy=\"",
        " y1=\"",
        " y2=\"",
    ] {
        for tag in &tags {
            let values = tag.split(name).skip(1).filter_map(|t| t.split('"').next());
            values.for_each(|value| {
                let number: f64 = value.parse().unwrap_or_else(|_| panic!("{tag}"));
                assert!(
                    number.is_finite() && number > -1.0 && number < 1100.0,
                    "{tag}"
                );
            });
        }
    }
    tags
}

#[test]
fn every_epoch_is_there_with_its_values() {
    for count in [1, 2, 30, 150] {
        let picture = curves(&[run("a run", count)]);
        let tags = sound(&picture);
        for number in 1..=count {
            let title = format!("<title>epoch {number}\n");
            assert_eq!(picture.matches(&title).count(), 3, "{count}: {number}");
        }
        // A line has a point an epoch.
        let lines = tags
            .iter()
            .filter(|tag| tag.starts_with("polyline class=\"line"));
        let points: Vec<usize> = lines.map(|tag| tag.matches(',').count()).collect();
        // The learning rate does not change, so it has no corners.
        match count {
            1 => assert!(points.is_empty()),
            count => assert_eq!(points, [count as usize; 5]),
        }
        assert!(picture.contains("training: 2.0000\nvalidation: 1.0081"));
        let dots = tags
            .iter()
            .filter(|tag| tag.starts_with("circle class=\"dot"))
            .count();
        assert_eq!(dots, if count <= 40 { 5 * count as usize } else { 0 });
        assert!(picture.contains(&format!("best: epoch {}", count.min(10))));
    }
}

#[test]
fn very_many_epochs_share_columns() {
    let picture = curves(&[run("long", 5000)]);
    let tags = sound(&picture);
    assert!(picture.matches("<title>epoch ").count() <= 3 * 400);
    let line = tags
        .iter()
        .find(|tag| tag.starts_with("polyline class=\"line"));
    assert_eq!(line.expect("a line").matches(',').count(), 5000);
}

#[test]
fn what_is_not_finite_is_a_gap_with_a_cross() {
    let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let values = [1.5, bad[0], 1.2, 1.1, bad[1], bad[2]];
    let epochs = values.iter().zip(1..).map(|(v, e)| epoch(e, *v)).collect();
    let curve = Curve {
        name: "lost".into(),
        epochs,
        best: Some(4),
    };
    let [loss, accuracy, _] = panels(&[curve]);
    let tags = sound(&loss);
    // 1.5 alone, then two together, each a dot too; the training has all six.
    let points = |class: &str| -> Vec<usize> {
        let lines = tags
            .iter()
            .filter(|tag| tag.starts_with(&format!("polyline class=\"{class}")));
        lines.map(|tag| tag.matches(',').count()).collect()
    };
    assert_eq!(points("line series-0"), [2]);
    assert_eq!(points("line series-1"), [6]);
    let lost = |tags: &[String]| {
        tags.iter()
            .filter(|tag| tag.starts_with("line class=\"lost"))
            .count()
    };
    assert_eq!(lost(&tags), 2 * 3);
    assert_eq!(loss.matches("validation: not finite").count(), 3);
    assert_eq!(lost(&sound(&accuracy)), 0);

    let epochs = (1..=3).map(|e| epoch(e, f64::NAN)).collect();
    let all = Curve {
        name: "all".into(),
        epochs,
        best: None,
    };
    assert_eq!(lost(&sound(&curves(&[all]))), 2 * 3);
}

#[test]
fn values_of_any_size_have_places() {
    let extreme = [f64::MAX, f64::MIN_POSITIVE, 0.0, -3.0, 1e-300, 5e-324];
    for first in extreme {
        for second in extreme {
            let mut epochs = vec![epoch(1, first), epoch(2, second), epoch(3, first)];
            epochs[1].learning_rate = second.abs();
            epochs[2].loss = second;
            let run = Curve {
                name: "extreme".into(),
                epochs,
                best: Some(1),
            };
            sound(&curves(&[run]));
        }
    }
    let spread = Curve {
        name: "spread".into(),
        epochs: vec![epoch(1, 1e6), epoch(2, 1.0)],
        best: None,
    };
    assert!(panels(&[spread])[0].contains("logarithmic"));
}

#[test]
fn runs_of_any_number_and_length_overlay() {
    sound(&curves(&[]));
    sound(&curves(&[run("empty", 0)]));
    let runs: Vec<Curve> = (0..9)
        .map(|i| run(&format!("run {i}"), 3 * i + 1))
        .collect();
    let picture = curves(&runs);
    sound(&picture);
    for i in 0..9 {
        // At the end of its line in each diagram.
        assert_eq!(picture.matches(&format!(">run {i}</text>")).count(), 3);
    }
    assert!(picture.contains("run 8, validation: "));
    for panel in panels(&runs) {
        sound(&panel);
    }
}

#[test]
fn names_are_text() {
    let hostile = "</style><script>alert(\"&'1\")</script>\u{1b}[2J\u{0}";
    let picture = curves(&[run(hostile, 2), run("b", 2)]);
    sound(&picture);
    assert!(
        !picture.contains("<script") && !picture.contains('\u{1b}') && !picture.contains('\u{0}')
    );
    assert!(picture.contains("&lt;script&gt;"));
    let classes = [hostile, "b"].map(String::from);
    let picture = confusion(&classes, &[vec![1, 2], vec![0, 3]], &[3, 3]);
    sound(&picture);
    assert!(!picture.contains("<script"));
}

#[test]
fn a_confusion_matrix_has_every_count_and_names_its_axes() {
    for count in [2usize, 7, 10, 20, 60] {
        let classes: Vec<String> = (0..count).map(|i| format!("class number {i}")).collect();
        let counts: Vec<Vec<u64>> = (0..count)
            .map(|t| (0..count).map(|a| (t * count + a) as u64).collect())
            .collect();
        let rows: Vec<u64> = counts.iter().map(|row| row.iter().sum()).collect();
        let picture = confusion(&classes, &counts, &rows);
        parse(&picture);
        assert!(picture.contains(">true class<") && picture.contains(">answered class<"));
        for (t, row) in counts.iter().enumerate() {
            for (a, found) in row.iter().enumerate() {
                let title = format!("true class number {t}, answered class number {a}: {found} of");
                assert_eq!(picture.matches(&title).count(), 1, "{title}");
            }
        }
    }
}
