//! `fer-gpu predict`: what a trained network says of pictures and arrays.

use super::output::{self, plain, print, tell};
use super::place;
use super::{Error, LARGEST_BATCH, write};
use crate::gpu::{Adapter, Gpu, LimitChoice, Selector};
use crate::inference::{self, Answer, Input, Opened, Rows, Tta, Which};
use crate::plan::Wanted;
use crate::train::causes;
use clap::Args;
use miette::Diagnostic;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu predict run face.png
  fer-gpu predict run faces/ X.npy --csv answers.csv
  fer-gpu predict run - --json < face.png")]
pub struct Predict {
    /// Folder of a run, or a file of weights
    #[arg(value_name = "RUN|FILE.safetensors")]
    weights: PathBuf,
    /// Pictures (png, jpeg, bmp, pnm, webp, gif), folders of them, .npy arrays as `train` takes them, or - for
    /// a picture on standard input
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// Classes to show of each, the likeliest first
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Print one JSON object a line, with all classes
    #[arg(long)]
    json: bool,
    /// Write all probabilities to a CSV file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Images at a time: no probability depends on it
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=LARGEST_BATCH))]
    batch: u32,
    /// Of a run, the weights of its last epoch or stop instead of its best
    #[arg(long)]
    last: bool,
    /// Answer by the mean of the probabilities of each image and of its mirror image
    #[arg(long, value_enum, default_value = "none")]
    tta: Tta,
    /// Adapter, by number or by part of its name [default: the fastest kind]
    #[arg(long, value_name = "INDEX|NAME")]
    device: Option<Selector>,
    /// Use all that the adapter has, or only what every WebGPU device grants
    #[arg(long, value_enum, default_value = "native")]
    limits: LimitChoice,
}

impl Predict {
    pub fn run(self) -> Result<ExitCode, Error> {
        output::reserve([&self.csv]);
        let which = if self.last { Which::Last } else { Which::Best };
        let path = inference::find(&self.weights, which)?;
        place::spare(&self.csv, self.inputs.iter().chain([&path]))?;
        if let Some(csv) = &self.csv {
            place::must_be_made_here(csv, place::TABLE)?;
        }
        let opened = Opened::open(&path)?;
        opened.notice().into_iter().for_each(output::note);
        let inputs: Vec<Input> = self.inputs.iter().map(|path| Input::of(path)).collect();
        let wanted = opened.record.preprocessing.clone();
        let classes = opened.record.class_names.clone();
        let rows = Rows::list(&inputs, &wanted);
        let adapter = Adapter::select(self.device.as_ref().unwrap_or(&Selector::Default))
            .map_err(inference::Error::from)?;
        let gpu = Gpu::open(&adapter, self.limits).map_err(inference::Error::from)?;
        // Few images need no large batch.
        let batch = self.batch.min(rows.count().max(1) as u32);
        let mut executor = opened.load(&gpu, &Wanted::prediction(batch))?;
        let mut shown = Shown::new(&self, &classes, &rows);
        inference::predict(&mut executor, rows, self.tta, &mut |answer| match answer {
            Ok(answer) => shown.answer(&answer),
            Err(fault) => shown.fault(&fault),
        })?;
        let code = shown.finish(wanted.image, self.csv.as_deref())?;
        if !self.json {
            output::next(&[format!("fer-gpu evaluate {}", output::told(&self.weights))]);
        }
        Ok(code)
    }
}

/// What was printed so far, and what is to be told at the end.
struct Shown<'a> {
    classes: &'a [String],
    json: bool,
    tta: Tta,
    top: usize,
    /// Characters of the column of inputs.
    width: usize,
    csv: Option<csv::Writer<Vec<u8>>>,
    header: bool,
    changed: usize,
    animated: usize,
    answered: usize,
    faults: usize,
}

/// No longer than this is the column of inputs made for one long name.
const WIDEST: usize = 48;

impl<'a> Shown<'a> {
    fn new(options: &Predict, classes: &'a [String], rows: &Rows) -> Shown<'a> {
        let names = rows.items.iter().flatten();
        let longest = names.map(|item| label(&item.input, item.row).chars().count());
        let mut csv = options
            .csv
            .is_some()
            .then(|| csv::Writer::from_writer(vec![]));
        if let Some(csv) = &mut csv {
            let head = ["input", "row", "class", "probability"].map(String::from);
            let each = classes.iter().map(|class| format!("p:{class}"));
            let head: Vec<String> = head.into_iter().chain(each).collect();
            csv.write_record(&head).expect("into memory");
        }
        Shown {
            classes,
            json: options.json,
            tta: options.tta,
            top: (options.top as usize).min(classes.len()),
            width: longest.max().unwrap_or(0).clamp(5, WIDEST),
            csv,
            header: false,
            changed: 0,
            animated: 0,
            answered: 0,
            faults: 0,
        }
    }

    /// Shows an answer; false where nobody looks any more.
    fn answer(&mut self, answer: &Answer) -> bool {
        self.answered += 1;
        self.changed += usize::from(answer.changed.is_some());
        self.animated += usize::from(answer.animated);
        let best = best(&answer.probabilities);
        if let Some(csv) = &mut self.csv {
            let head = [
                answer.input.clone(),
                answer.row.unwrap_or(0).to_string(),
                self.classes[best[0]].clone(),
                answer.probabilities[best[0]].to_string(),
            ];
            let each = answer.probabilities.iter().map(f32::to_string);
            let record: Vec<String> = head.into_iter().chain(each).collect();
            csv.write_record(&record).expect("into memory");
        }
        if self.json {
            let line = Line {
                answer,
                classes: self.classes,
                best: best[0],
                tta: self.tta,
            };
            print(serde_json::to_string(&line).expect("plain values"));
            return self.is_wanted();
        }
        if !std::mem::replace(&mut self.header, true) {
            let mean = match self.tta {
                Tta::None => "",
                Tta::Mirror => ", by the mean of each image and its mirror image",
            };
            print(format_args!(
                " {:<1$}  classes, the likeliest first{mean}",
                "input", self.width
            ));
        }
        let shown = best.iter().take(self.top).map(|&class| {
            let percent = 100.0 * answer.probabilities[class];
            format!("{} {percent:.1} %", self.classes[class])
        });
        let shown: Vec<String> = shown.collect();
        let name = label(&answer.input, answer.row);
        print(format_args!(
            " {name:<1$}  {0}",
            shown.join("   "),
            self.width
        ));
        self.is_wanted()
    }

    /// Tells of an image without an answer; false where nobody looks any more.
    fn fault(&mut self, fault: &inference::Error) -> bool {
        self.faults += 1;
        let remedy = fault.help().map(|remedy| format!("; {remedy}"));
        let text = causes(fault) + &remedy.unwrap_or_default();
        output::error(plain(&text));
        self.is_wanted()
    }

    fn is_wanted(&self) -> bool {
        self.csv.is_some() || !output::is_closed()
    }

    /// Tells once what was done to pictures, and writes the CSV.
    fn finish(
        self,
        [height, width, _]: [usize; 3],
        path: Option<&std::path::Path>,
    ) -> Result<ExitCode, Error> {
        if self.changed > 0 {
            tell(format_args!(
                "{} had another size: cropped to the centre and resized to {width} x {height}. The network expects a cropped face.",
                pictures(self.changed)
            ));
        }
        if self.animated > 0 {
            tell(format_args!(
                "{} moved: the first frame was taken.",
                pictures(self.animated)
            ));
        }
        // Of nothing that was answered no table is made: another one may lie there.
        if let (Some(csv), Some(path), true) = (self.csv, path, self.answered > 0) {
            let bytes = csv.into_inner().expect("into memory");
            write(path, &String::from_utf8(bytes).expect("text"))?;
        }
        Ok(ExitCode::from(if self.faults > 0 { 2 } else { 0 }))
    }
}

fn pictures(count: usize) -> String {
    match count {
        1 => "1 picture".into(),
        count => format!("{count} pictures"),
    }
}

/// The input, with the row where it is an array.
fn label(input: &str, row: Option<usize>) -> String {
    match row {
        Some(row) => format!("{}[{row}]", plain(input)),
        None => plain(input),
    }
}

/// Classes, the likeliest first; of equal ones the first.
fn best(probabilities: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    order
}

/// One line of `--json`: the classes in the order of their numbers.
struct Line<'a> {
    answer: &'a Answer,
    classes: &'a [String],
    best: usize,
    tta: Tta,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let tta = self.tta.name();
        let mut map = to.serialize_map(Some(5 + usize::from(tta.is_some())))?;
        map.serialize_entry("input", &self.answer.input)?;
        map.serialize_entry("row", &self.answer.row.unwrap_or(0))?;
        map.serialize_entry("class", &self.classes[self.best])?;
        map.serialize_entry("probability", &self.answer.probabilities[self.best])?;
        map.serialize_entry("probabilities", &ByClass(self))?;
        if let Some(tta) = tta {
            map.serialize_entry("tta", tta)?;
        }
        map.end()
    }
}

struct ByClass<'a>(&'a Line<'a>);

impl Serialize for ByClass<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Line {
            answer, classes, ..
        } = self.0;
        to.collect_map(classes.iter().zip(&answer.probabilities))
    }
}
