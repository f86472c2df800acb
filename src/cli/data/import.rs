//! `fer-gpu data import`: a CSV, folders of pictures or arrays become a data set.

use super::class_table;
use crate::cli::output::{self, plain, plural, told};
use crate::cli::{Error, next, print, progress, stop};
use crate::ingest::{self, Event, Imported, Kind, Options, Private, Targets, Wanted};
use crate::network::NETWORKS;
use crate::pictures::Colour;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Faults that are told one by one.
const TOLD: u64 = 20;

#[derive(Args)]
#[command(after_help = "\
Sources:
  fer2013.csv, icml_face_data.csv   the columns emotion, pixels and Usage
  DIR/train/CLASS/*.png             beside DIR/test, val or valid with the same classes
  DIR/CLASS/*.jpg                   with --test-share
  DIR/X_train.npy ...               four arrays, checked and copied

Examples:
  fer-gpu data import fer2013.csv --out fer
  fer-gpu data import fer2013.csv --votes fer2013new.csv --out ferplus
  fer-gpu data import pictures --test-share 0.1 --size 64 --rgb --out mine")]
pub struct Import {
    /// CSV, folder of pictures by class, or folder of arrays
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// Folder for X_train.npy, y_train.npy, X_test.npy, y_test.npy and classes.json
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Size of the images: pictures of another are cropped to the centre and resized
    /// [default: 48]
    #[arg(long, value_name = "N|HxW", value_parser = size)]
    size: Option<[usize; 2]>,
    /// Images of three channels, red, green and blue [default: grey ones]
    #[arg(long)]
    rgb: bool,
    /// The share of the images to validate on, of each class alike, identical images on one side: of a CSV in
    /// place of its own test part, of folders that have none
    #[arg(long, value_name = "SHARE", value_parser = share, allow_negative_numbers = true)]
    test_share: Option<f64>,
    /// Where a third part goes: PrivateTest of the CSV, test/ of folders with val/ [default: it is left out]
    #[arg(long, value_enum)]
    private: Option<Part>,
    /// FER+'s votes (fer2013new.csv) on the images of the CSV
    #[arg(long, value_name = "FILE.csv")]
    votes: Option<PathBuf>,
    /// What the votes become: the class that more than half are for, or the share of each
    #[arg(long, value_enum, default_value = "majority", requires = "votes")]
    targets: Target,
    /// Seed of --test-share
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Stop at the first row or picture that cannot be read, and write nothing
    #[arg(long)]
    strict: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    Train,
    Test,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    Majority,
    Distribution,
}

/// `48` or `48x64`, height first.
fn size(text: &str) -> Result<[usize; 2], String> {
    let (height, width) = text.split_once('x').unwrap_or((text, text));
    let side = |text: &str| match text.parse() {
        Ok(side @ 1..=crate::pictures::LARGEST_WANTED) => Some(side),
        _ => None,
    };
    match (side(height), side(width)) {
        (Some(height), Some(width)) => Ok([height, width]),
        _ => Err(format!(
            "a number of pixels from 1 to {}, or HEIGHTxWIDTH",
            crate::pictures::LARGEST_WANTED
        )),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("a number between 0 and 1, as 0.1".into()),
    }
}

impl Import {
    pub fn run(self) -> Result<ExitCode, Error> {
        self.check()?;
        stop::end_on_request();
        let bar = progress::bar();
        let mut faults = 0;
        let imported =
            ingest::import(
                &self.source,
                &self.out,
                &self.options(),
                &mut |event| match event {
                    Event::Progress { done, total } => progress::part(&bar, done, total, "reading"),
                    Event::Fault(fault) => {
                        faults += 1;
                        if faults <= TOLD {
                            bar.suspend(|| output::warn(plain(&fault.to_string())));
                        }
                    }
                },
            );
        bar.finish_and_clear();
        let imported = imported?;
        if faults > TOLD {
            output::warn(format_args!("and {} more", faults - TOLD));
        }
        if self.json {
            print(json(&imported, &self.out));
        } else {
            text(&imported, &self.out);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn options(&self) -> Options {
        Options {
            wanted: Wanted {
                size: self.size.unwrap_or([48, 48]),
                colour: match self.rgb {
                    false => Colour::Grey,
                    true => Colour::Rgb,
                },
            },
            private: match self.private {
                None => Private::LeftOut,
                Some(Part::Train) => Private::Train,
                Some(Part::Test) => Private::Test,
            },
            test_share: self.test_share,
            seed: self.seed,
            votes: self.votes.clone(),
            targets: match self.targets {
                Target::Majority => Targets::Majority,
                Target::Distribution => Targets::Distribution,
            },
            strict: self.strict,
        }
    }

    /// Refuses what would be ignored: arrays are taken as they are.
    fn check(&self) -> Result<(), ingest::Error> {
        let given = [
            (self.size.is_some(), "--size"),
            (self.rgb, "--rgb"),
            (self.private.is_some(), "--private"),
        ];
        match (
            ingest::kind(&self.source)?,
            given.iter().find(|option| option.0),
        ) {
            (Kind::Arrays, Some((_, option))) => Err(ingest::Error::AsTheyAre {
                path: self.source.clone(),
                option,
            }),
            _ => Ok(()),
        }
    }
}

/// What was imported, as a table and what else there is to say.
fn text(imported: &Imported, out: &Path) {
    let [train, test] = &imported.counts;
    print(class_table(&imported.class_names, [train, test]));
    let [height, width, channels] = imported.image;
    let colour = if channels == 1 { "grey" } else { "colour" };
    print(format_args!(
        "{height} x {width}, {colour}, in {}",
        told(out)
    ));
    let things = match imported.kind {
        Kind::Csv => "row",
        Kind::Folders | Kind::Arrays => "picture",
    };
    let say = |count: u64, what: &str| {
        if count > 0 {
            print(format_args!("{} {what}", plural(count, things)));
        }
    };
    say(
        imported.private,
        "of the private test part left out: --private train or --private test takes them in",
    );
    say(
        imported.undecided,
        "left out, on which the votes decide nothing",
    );
    say(
        imported.resized,
        "had another size: cropped to the centre and resized",
    );
    say(imported.animated, "moved: the first frame was taken");
    if imported.faults > 0 {
        output::warn(format_args!(
            "{} could not be read and left out",
            plural(imported.faults, things)
        ));
    }
    if let Some(first) = imported.skipped.first() {
        output::warn(format_args!(
            "{} left out whose names do not end as those of pictures do, {} the first",
            plural(imported.skipped.len() as u64, "file"),
            plain(&first.display().to_string())
        ));
    }
    let check = format!("fer-gpu data check {}", told(out));
    let is_taken = |image: [u32; 3]| image.map(|extent| extent as usize) == imported.image;
    match NETWORKS.iter().any(|network| is_taken(network.image)) {
        true => next(&[check, format!("fer-gpu train --data {}", told(out))]),
        false => {
            output::note("no network of the box takes images of that shape");
            next(&[check]);
        }
    }
}

fn json(imported: &Imported, out: &Path) -> serde_json::Value {
    let [train, test] = &imported.counts;
    json!({
        "event": "imported", "out": out, "image": imported.image, "classes": imported.class_names,
        "train": train, "test": test, "faults": imported.faults, "private": imported.private,
        "skipped": imported.skipped.len(), "undecided": imported.undecided, "resized": imported.resized, "animated": imported.animated,
    })
}
