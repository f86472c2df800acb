//! Figures computed by hand, and once by scikit-learn.

use super::*;
use serde_json::{Value, json};

fn classes(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class {class}")).collect()
}

fn tally(count: usize, rows: &[(u32, &[f32])], duplicates: Option<Vec<bool>>) -> Tally {
    let mut tally = Tally::new(classes(count), duplicates);
    for &(label, logits) in rows {
        tally.add(label, logits);
    }
    tally
}

/// Four rows by hand: right, right at the second guess, wrong with a tie, right.
const ROWS: [(u32, &[f32]); 4] = [
    (0, &[2.0, 1.0, 0.0]),
    (0, &[1.0, 2.0, 0.0]),
    (2, &[1.0, 1.0, 1.0]),
    (1, &[-3.0, -1.0, -2.0]),
];

#[test]
fn four_rows_by_hand() {
    let report = tally(3, &ROWS, None).report(5.0, 2).unwrap();
    assert_eq!(report.rows, 4);
    assert_eq!(report.loss, 1.25);
    assert_eq!(report.accuracy, 0.5);
    // The third row's label is the last of three equal ones.
    assert_eq!(report.top2, 0.75);
    assert_eq!(report.confusion, [[1, 1, 0], [0, 1, 0], [1, 0, 0]]);
    let figures = |c: &PerClass| (c.precision, c.recall, c.f1, c.count);
    let per_class: Vec<_> = report.per_class.iter().map(figures).collect();
    let expected = [
        (0.5, 0.5, 0.5, 2),
        (0.5, 1.0, 2.0 / 3.0, 1),
        (0.0, 0.0, 0.0, 1),
    ];
    assert_eq!(per_class, expected);
    assert!((report.macro_f1 - 7.0 / 18.0).abs() < 1e-15);
    assert_eq!(
        (report.distinct_rows, report.distinct_accuracy),
        (None, None)
    );
    assert_eq!(report.unanswered(), 0);
}

#[test]
fn of_equal_logits_the_first_class_is_the_answer() {
    for label in 0..3 {
        let tied: (u32, &[f32]) = (label, &[0.0, 7.0, 7.0]);
        let correct = u64::from(label == 1);
        let report = tally(3, &[tied], None).report(0.0, correct).unwrap();
        assert_eq!(report.confusion[label as usize], [0, 1, 0]);
        assert_eq!(report.top2, f64::from(u8::from(label > 0)));
    }
    // The two zeros are equal.
    assert_eq!(answer(&[-0.0, 0.0]), Some(0));
    assert_eq!(answer(&[0.0, -0.0]), Some(0));
}

#[test]
fn a_row_with_a_logit_that_is_not_finite_has_no_answer() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in 0..2 {
            // The label's logit is the largest, or the bad one.
            let mut logits = [0.0, 9.0];
            logits[place] = bad;
            let rows: [(u32, &[f32]); 3] = [(1, &logits), (1, &[0.0, 1.0]), (0, &[0.0, 1.0])];
            let report = tally(2, &rows, Some(vec![false; 3]))
                .report(f64::NAN, 1)
                .unwrap();
            assert_eq!(report.confusion, [[0, 1], [0, 1]]);
            assert_eq!(report.unanswered(), 1);
            assert_eq!(report.top2, 2.0 / 3.0);
            assert_eq!(report.per_class[1].count, 2);
            assert_eq!(report.per_class[1].recall, 0.5);
            assert_eq!(report.distinct_accuracy, Some(1.0 / 3.0));
        }
    }
}

#[test]
fn the_answer_is_that_of_the_kernels_reference() {
    use crate::ops::{params::Step, softmax_cross_entropy::Loss};
    let values = [-1.0, 0.0, 1.0, 1.0, f32::MAX, f32::NAN, f32::INFINITY];
    let classes = 3;
    let mut tested = [0, 0];
    for index in 0..values.len().pow(3) {
        let logits = [index % 7, index / 7 % 7, index / 49].map(|i| values[i]);
        for label in 0..classes {
            let params = Loss::of(1, classes);
            let step = Step::new(0, 1, [0.0; 4]);
            let bits = logits.map(f32::to_bits);
            let bindings: [&[u32]; 5] = [&bits, &[label], &[], &[], &[0; 4]];
            let expected =
                crate::ops::reference::softmax::softmax_cross_entropy(&params, &step, &bindings);
            let correct = expected[1].values[1] as usize;
            assert_eq!(
                correct == 1,
                answer(&logits) == Some(label as usize),
                "{logits:?}"
            );
            tested[correct] += 1;
        }
    }
    assert!(tested.iter().all(|&times| times > 100), "{tested:?}");
}

#[test]
fn one_and_two_classes_are_defined() {
    let report = tally(1, &[(0, &[-4.0]), (0, &[3.0])], None)
        .report(0.0, 2)
        .unwrap();
    assert_eq!(
        (report.accuracy, report.top2, report.macro_f1),
        (1.0, 1.0, 1.0)
    );
    let report = tally(2, &[(0, &[0.0, 1.0]), (0, &[0.0, 1.0])], None)
        .report(3.0, 0)
        .unwrap();
    assert_eq!(
        (report.accuracy, report.top2, report.macro_f1),
        (0.0, 1.0, 0.0)
    );
    assert_eq!(report.confusion, [[0, 2], [0, 0]]);
}

#[test]
fn distinct_rows_are_those_that_are_no_duplicates() {
    let distinct = |duplicates: [bool; 4]| {
        let report = tally(3, &ROWS, Some(duplicates.to_vec()))
            .report(5.0, 2)
            .unwrap();
        assert_eq!(report.accuracy, 0.5);
        (report.distinct_rows, report.distinct_accuracy)
    };
    assert_eq!(distinct([false; 4]), (Some(4), Some(0.5)));
    assert_eq!(distinct([true, false, true, false]), (Some(2), Some(0.5)));
    assert_eq!(
        distinct([true, false, false, false]),
        (Some(3), Some(1.0 / 3.0))
    );
    assert_eq!(distinct([true; 4]), (Some(0), None));
}

#[test]
fn no_rows_and_a_device_that_counts_otherwise_are_errors() {
    assert_eq!(tally(3, &[], None).report(0.0, 0), Err(Error::NoRows));
    let (correct, diagonal, rows) = (3, 2, 4);
    let expected = Error::Disagree {
        correct,
        diagonal,
        rows,
    };
    assert_eq!(
        expected.to_string(),
        "the device counts 3 correct rows, by their logits 2 of 4 are"
    );
    assert_eq!(tally(3, &ROWS, None).report(5.0, 3), Err(expected));
}

#[test]
fn json_has_these_keys_in_this_order() {
    let report = tally(2, &[(0, &[1.0, 0.0]), (1, &[1.0, 0.0])], None).report(f64::INFINITY, 1);
    assert_eq!(
        serde_json::to_string(&report.unwrap()).unwrap(),
        concat!(
            r#"{"event":"evaluate","rows":2,"loss":null,"accuracy":0.5,"top2":1.0,"#,
            r#""macro_f1":0.3333333333333333,"distinct_rows":null,"distinct_accuracy":null,"#,
            r#""classes":["class 0","class 1"],"confusion":[[1,0],[1,0]],"per_class":["#,
            r#"{"class":"class 0","precision":0.5,"recall":1.0,"f1":0.6666666666666666,"count":1},"#,
            r#"{"class":"class 1","precision":0.0,"recall":0.0,"f1":0.0,"count":1}]}"#
        )
    );
}

#[test]
fn json_shows_distinct_rows_where_there_is_a_training_set() {
    let value = |duplicate| {
        let rows: [(u32, &[f32]); 1] = [(0, &[1.0, 0.0])];
        let report = tally(2, &rows, Some(vec![duplicate]))
            .report(0.25, 1)
            .unwrap();
        serde_json::to_value(report).unwrap()
    };
    let [distinct, duplicate] = [value(false), value(true)];
    assert_eq!(distinct["loss"], json!(0.25));
    assert_eq!(distinct["distinct_rows"], json!(1));
    assert_eq!(distinct["distinct_accuracy"], json!(1.0));
    assert_eq!(duplicate["distinct_rows"], json!(0));
    assert_eq!(duplicate["distinct_accuracy"], Value::Null);
}

/// scikit-learn 1.9.1 over the same rows: `confusion_matrix` and `precision_recall_fscore_support`
/// with `labels=range(6), zero_division=0`, `f1_score(average="macro", zero_division=0)`,
/// `top_k_accuracy_score(k=2)`. Class 3 is in no label, class 4 is no answer, class 5 is neither,
/// and no row has a tie that scikit-learn breaks otherwise.
#[test]
fn scikit_learn_has_the_same_figures() {
    const LABELS: [u32; 40] = [
        1, 1, 2, 0, 1, 0, 2, 2, 4, 2, 0, 1, 2, 4, 1, 1, 1, 2, 2, 1, 0, 1, 2, 4, 0, 0, 1, 2, 4, 1,
        1, 1, 2, 1, 1, 0, 0, 2, 4, 1,
    ];
    let mut tally = Tally::new(classes(6), None);
    for (i, &label) in LABELS.iter().enumerate() {
        let mut logits =
            [0, 1, 2, 3, 4, 5].map(|j| ((7 * i + 11 * j + 3 * i * i * j) % 13) as f32 - 6.0);
        logits[4] = -9.0;
        logits[5] = -10.0;
        tally.add(label, &logits);
    }
    let report = tally.report(0.0, 14).unwrap();
    assert_eq!(report.accuracy, 0.35);
    assert_eq!(report.top2, 0.675);
    assert_eq!(
        report.confusion,
        [
            [4, 1, 2, 1, 0, 0],
            [3, 7, 1, 5, 0, 0],
            [1, 2, 3, 5, 0, 0],
            [0, 0, 0, 0, 0, 0],
            [1, 3, 0, 1, 0, 0],
            [0, 0, 0, 0, 0, 0]
        ]
    );
    let expected = [
        (0.4444444444444444, 0.5, 0.47058823529411764, 8),
        (0.5384615384615384, 0.4375, 0.4827586206896552, 16),
        (0.5, 0.2727272727272727, 0.35294117647058826, 11),
        (0.0, 0.0, 0.0, 0),
        (0.0, 0.0, 0.0, 5),
        (0.0, 0.0, 0.0, 0),
    ];
    for (class, expected) in report.per_class.iter().zip(expected) {
        let (precision, recall, f1, count) = expected;
        assert!((class.precision - precision).abs() < 1e-15, "{class:?}");
        assert!((class.recall - recall).abs() < 1e-15, "{class:?}");
        assert!((class.f1 - f1).abs() < 1e-15, "{class:?}");
        assert_eq!(class.count, count);
    }
    assert!((report.macro_f1 - 0.2612576064908722).abs() < 1e-15);
}
