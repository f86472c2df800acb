//! How good a classifier's answers are, for people: a headline, a table of the classes, and the
//! confusion matrix, cut into blocks of columns where it would be too wide. And the same as CSV.

use crate::score::{Averaged, Report};
use comfy_table::{CellAlignment, Table, presets};
use std::collections::HashSet;

/// Columns of a line: as wide as the help texts.
const WIDTH: usize = 100;

/// Characters of a class name in front of its row.
const ROW_NAME: usize = 32;

/// Characters of a class name above its column: the first that gives each class its own head and
/// lets the matrix fit is taken. Where none does, class numbers stand there.
const COLUMN_NAMES: [usize; 3] = [12, 8, 6];

/// The whole report, its parts apart by an empty line.
pub fn text(report: &Report) -> String {
    let head = [Some(headline(report)), report.tta.as_ref().map(averaged)];
    let head: Vec<String> = head.into_iter().flatten().collect();
    let mut parts = vec![head.join("\n"), per_class(report).to_string()];
    let names = Names::of(report);
    let mut blocks = confusion(report, &names).into_iter();
    let caption = "rows: true, columns: predicted";
    parts.extend(blocks.next().map(|block| format!("{caption}\n{block}")));
    parts.extend(blocks.map(|block| block.to_string()));
    parts.extend(warning(report));
    parts.join("\n\n")
}

/// The figures over all rows on one line.
pub fn headline(report: &Report) -> String {
    let Report {
        rows,
        loss,
        accuracy,
        top2,
        macro_f1,
        ..
    } = report;
    let distinct = match (report.distinct_rows, report.distinct_accuracy) {
        (Some(rows), Some(accuracy)) => {
            format!("  distinct accuracy {accuracy:.4} of {}", images(rows))
        }
        (Some(_), None) => "  every image is also in the training set".into(),
        (None, _) => String::new(),
    };
    format!(
        "{}  loss {loss:.4}  accuracy {accuracy:.4}  top-2 {top2:.4}  macro F1 {macro_f1:.4}{distinct}",
        images(*rows)
    )
}

/// What the mean over views of each image comes to, on a line of its own.
fn averaged(tta: &Averaged) -> String {
    let Averaged {
        kind,
        loss,
        accuracy,
        top2,
        macro_f1,
        distinct_accuracy,
    } = tta;
    let distinct = distinct_accuracy.map(|accuracy| format!("  distinct accuracy {accuracy:.4}"));
    format!(
        "with --tta {kind}  loss {loss:.4}  accuracy {accuracy:.4}  top-2 {top2:.4}  macro F1 {macro_f1:.4}{}",
        distinct.unwrap_or_default()
    )
}

fn images(count: u64) -> String {
    match count {
        1 => "1 image".into(),
        count => format!("{count} images"),
    }
}

/// One row for each class, by class number.
pub fn per_class(report: &Report) -> Table {
    let names = Names::of(report);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["class", "precision", "recall", "F1", "images"]);
    for (name, class) in names.rows.iter().zip(&report.per_class) {
        table.add_row([
            name.clone(),
            format!("{:.4}", class.precision),
            format!("{:.4}", class.recall),
            format!("{:.4}", class.f1),
            class.count.to_string(),
        ]);
    }
    align(&mut table, 4);
    table
}

/// Rows by true and predicted class, as many columns in a table as fit on a line.
fn confusion(report: &Report, names: &Names) -> Vec<Table> {
    let count = report.classes.len();
    let widths = names.widths(report);
    let room = WIDTH.saturating_sub(2 + longest(&names.rows));
    let mut tables = Vec::new();
    let mut first = 0;
    while first < count {
        let mut end = first + 1;
        while end < count && widths[first..=end].iter().sum::<usize>() <= room {
            end += 1;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let heads = names.columns[first..end].iter().cloned();
        table.set_header(std::iter::once(String::new()).chain(heads));
        for (name, row) in names.rows.iter().zip(&report.confusion) {
            let cells = row[first..end].iter().map(u64::to_string);
            table.add_row(std::iter::once(name.clone()).chain(cells));
        }
        align(&mut table, end - first);
        tables.push(table);
        first = end;
    }
    tables
}

/// Numbers stand to the right, in all columns but the first.
fn align(table: &mut Table, numbers: usize) {
    for column in 1..=numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// What must be said of rows that no column counts.
fn warning(report: &Report) -> Option<String> {
    let unanswered = report.unanswered();
    (unanswered > 0).then(|| {
        format!(
            "warning: {} of {} images have a logit that is not finite: they count as wrong, and in no column above",
            unanswered, report.rows
        )
    })
}

/// Class names as they are shown, by class number.
struct Names {
    rows: Vec<String>,
    columns: Vec<String>,
}

impl Names {
    fn of(report: &Report) -> Names {
        let cut_to = |length| {
            let all = report.classes.iter();
            all.map(|name| cut(name, length)).collect::<Vec<_>>()
        };
        let rows = cut_to(ROW_NAME);
        for length in COLUMN_NAMES {
            let names = Names {
                rows: rows.clone(),
                columns: cut_to(length),
            };
            if names.are_distinct() && names.width(report) <= WIDTH {
                return names;
            }
        }
        let columns: Vec<String> = (0..rows.len()).map(|number| number.to_string()).collect();
        let digits = longest(&columns);
        let rows = rows.iter().enumerate();
        let rows = rows.map(|(number, name)| format!("{number:>digits$} {name}"));
        Names {
            rows: rows.collect(),
            columns,
        }
    }

    fn are_distinct(&self) -> bool {
        self.columns.iter().collect::<HashSet<_>>().len() == self.columns.len()
    }

    /// Of the whole confusion matrix on a line.
    fn width(&self, report: &Report) -> usize {
        2 + longest(&self.rows) + self.widths(report).iter().sum::<usize>()
    }

    /// Of each column of the confusion matrix, with a space on either side.
    fn widths(&self, report: &Report) -> Vec<usize> {
        let digits = |class: usize| {
            let largest = report.confusion.iter().map(|row| row[class]).max();
            largest.unwrap_or(0).to_string().len()
        };
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(class, head)| 2 + head.chars().count().max(digits(class)))
            .collect()
    }
}

fn longest(names: &[String]) -> usize {
    let lengths = names.iter().map(|name| name.chars().count());
    lengths.max().unwrap_or(0)
}

/// At most `length` characters, an ellipsis in place of the rest; a name may come from a file, so
/// what would move the cursor is replaced.
fn cut(name: &str, length: usize) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    if name.chars().count() <= length {
        return name.chars().map(shown).collect();
    }
    let kept = name.chars().take(length - 1).map(shown);
    kept.chain(['…']).collect()
}

/// The classes as CSV, a line each: its figures, then how many of its rows are answered with each
/// class, under `predicted:` and that class's name.
pub fn csv(report: &Report) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let heads = ["class", "count", "precision", "recall", "f1"].map(String::from);
    let predicted = report
        .classes
        .iter()
        .map(|name| format!("predicted:{name}"));
    let mut lines = vec![heads.into_iter().chain(predicted).collect::<Vec<_>>()];
    for (class, answered) in report.per_class.iter().zip(&report.confusion) {
        let figures = [
            class.class.clone(),
            class.count.to_string(),
            class.precision.to_string(),
            class.recall.to_string(),
            class.f1.to_string(),
        ];
        let answered = answered.iter().map(u64::to_string);
        lines.push(figures.into_iter().chain(answered).collect());
    }
    for line in lines {
        writer.write_record(line).expect("memory takes everything");
    }
    let bytes = writer.into_inner().expect("memory takes everything");
    String::from_utf8(bytes).expect("CSV of text is text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::class_names;
    use crate::score::Tally;

    /// Each row's true class and answer.
    fn report(
        classes: Vec<String>,
        rows: &[(u32, usize)],
        duplicates: Option<Vec<bool>>,
    ) -> Report {
        let count = classes.len();
        let mut tally = Tally::new(classes, duplicates);
        for &(label, answer) in rows {
            let mut logits = vec![0.0; count];
            logits[answer] = 1.0;
            tally.add(label, &logits);
        }
        let correct = rows.iter().filter(|row| row.0 as usize == row.1).count();
        tally
            .report(0.5 * rows.len() as f64, correct as u64)
            .unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    fn widest(text: &str) -> usize {
        text.lines().map(|line| line.chars().count()).max().unwrap()
    }

    /// `count` rows of each class, answered with the class `(row * step) % classes` further on.
    fn many(classes: Vec<String>, count: usize, step: usize) -> Report {
        let number = classes.len();
        let rows: Vec<_> = (0..number * count)
            .map(|row| (row % number, (row % number + row / number * step) % number))
            .map(|(label, answer)| (label as u32, answer))
            .collect();
        report(classes, &rows, None)
    }

    #[test]
    fn a_small_report_reads_as_written_here() {
        let duplicates = vec![false, false, true, false];
        let rows = [(0, 0), (0, 1), (1, 1), (1, 1)];
        let report = report(names(&["cat", "dog"]), &rows, Some(duplicates));
        let text = text(&report);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "4 images  loss 0.5000  accuracy 0.7500  top-2 1.0000  macro F1 0.7333  distinct accuracy 0.6667 of 3 images",
                "",
                " class  precision  recall      F1  images",
                " cat       1.0000  0.5000  0.6667       2",
                " dog       0.6667  1.0000  0.8000       2",
                "",
                "rows: true, columns: predicted",
                "      cat  dog",
                " cat    1    1",
                " dog    0    2",
            ]
        );
    }

    #[test]
    fn the_headline_tells_of_duplicates_only_where_there_is_a_training_set() {
        let rows = [(0, 0)];
        let told = |duplicates| headline(&report(names(&["cat", "dog"]), &rows, duplicates));
        assert!(told(None).ends_with("macro F1 1.0000"));
        assert!(told(Some(vec![true])).ends_with("every image is also in the training set"));
        assert!(told(Some(vec![false])).ends_with("distinct accuracy 1.0000 of 1 image"));
    }

    #[test]
    fn seven_classes_have_their_names_above_the_columns() {
        let report = many(class_names(7), 500, 1);
        let text = text(&report);
        assert!(text.contains("angry  disgust  fear  happy  sad  surprise  neutral"));
        assert!(widest(&text) <= WIDTH);
    }

    #[test]
    fn names_are_cut_as_little_as_fits() {
        let heads = |report: &Report| Names::of(report).columns;
        let two = many(names(&["not smiling at all", "smiling"]), 3, 1);
        assert_eq!(heads(&two), ["not smiling…", "smiling"]);
        // Ten columns of 2 + 8 do not fit beside a name, of 2 + 6 they do.
        let letters: Vec<String> = (b'a'..=b'j')
            .map(|c| (c as char).to_string().repeat(9))
            .collect();
        assert_eq!(heads(&many(letters, 3, 1))[3], "ddddd…");
    }

    #[test]
    fn names_that_differ_only_behind_the_cut_give_way_to_numbers() {
        let long = "an expression of mild but lasting surprise, seen from the ";
        let report = many(vec![format!("{long}left"), format!("{long}right")], 3, 1);
        let shown = Names::of(&report);
        assert_eq!(shown.columns, ["0", "1"]);
        assert_eq!(shown.rows[1], "1 an expression of mild but lasti…");
    }

    #[test]
    fn thirty_classes_come_in_blocks_that_hold_every_count() {
        let classes: Vec<String> = (0..30)
            .map(|i| format!("a rather long class name, {i}"))
            .collect();
        let report = many(classes, 2000, 7);
        let tables = confusion(&report, &Names::of(&report));
        assert!(tables.len() > 1);
        let mut found = vec![Vec::new(); 30];
        for table in &tables {
            let text = table.to_string();
            assert!(widest(&text) <= WIDTH, "{text}");
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 31);
            for (row, line) in lines[1..].iter().enumerate() {
                let counts = line.split_once(&format!("name, {row} ")).unwrap().1;
                let counts = counts.split_whitespace().map(|n| n.parse::<u64>().unwrap());
                found[row].extend(counts);
            }
        }
        assert_eq!(found, report.confusion);
    }

    #[test]
    fn a_name_cannot_break_a_line_or_move_the_cursor() {
        let report = many(names(&["two\nlines", "\u{1b}[2Jclear"]), 2, 1);
        let text = text(&report);
        assert!(text.contains("two\u{fffd}lines") && text.contains("\u{fffd}[2Jclear"));
        assert_eq!(text.lines().count(), 1 + 1 + 3 + 1 + 1 + 3);
    }

    #[test]
    fn rows_without_an_answer_are_told_of() {
        let mut tally = Tally::new(names(&["cat", "dog"]), None);
        tally.add(0, &[f32::NAN, 0.0]);
        tally.add(1, &[0.0, 1.0]);
        let text = text(&tally.report(f64::NAN, 1).unwrap());
        assert!(text.starts_with("2 images  loss NaN  accuracy 0.5000"));
        assert!(text.contains("warning: 1 of 2 images have a logit that is not finite"));
    }

    #[test]
    fn csv_has_a_line_a_class_and_quotes_names() {
        let rows = [(0, 0), (0, 1), (1, 1), (1, 1), (1, 0)];
        let report = report(names(&["cat", "dog, \"big\""]), &rows, None);
        assert_eq!(
            csv(&report),
            "class,count,precision,recall,f1,predicted:cat,\"predicted:dog, \"\"big\"\"\"\n\
             cat,2,0.5,0.5,0.5,1,1\n\
             \"dog, \"\"big\"\"\",3,0.6666666666666666,0.6666666666666666,0.6666666666666666,1,2\n"
        );
    }

    #[test]
    fn csv_with_a_name_of_two_lines_reads_back() {
        let report = many(names(&["two\nlines", "b", "c"]), 5, 1);
        let text = csv(&report);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), 3);
        for (record, row) in records.iter().zip(&report.confusion) {
            let counts: Vec<u64> = record.iter().skip(5).map(|n| n.parse().unwrap()).collect();
            assert_eq!(&counts, row);
        }
        assert_eq!(&records[0][0], "two\nlines");
    }
}
