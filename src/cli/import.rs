//! `fer-gpu import`: weights that another program wrote, as a file that `evaluate` and `predict` take.

use super::output::{self, print};
use super::place;
use super::{Error, summary};
use crate::data::PixelRange;
use crate::drawing::grouped;
use crate::exchange::import::{Import, Wanted};
use crate::exchange::{self, Format};
use crate::pictures::{EPSILON, Standardise};
use clap::Args;
use comfy_table::{Table, presets};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu import trained.keras --model inception-gap -o trained.safetensors
  fer-gpu import weights.npz --model inception -o trained.safetensors --classes fer/classes.json")]
pub struct ImportCommand {
    /// Weights of Keras (.h5, .keras, .weights.h5), or arrays of numpy (.npz) named as `layer/kernel`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Network that the weights are of, by name or by file
    #[arg(long, value_name = "NAME|FILE.toml")]
    model: String,
    /// File of weights to write, .safetensors
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Names of the classes in the order of their numbers: a JSON list in a file, or a,b,c [default: those
    /// of FER-2013 for seven, else numbers]
    #[arg(long, value_name = "FILE.json|A,B,C")]
    classes: Option<String>,
    /// Height, width and channels of the images [default: what the file says, else what the network
    /// usually takes]
    #[arg(long, value_name = "HxWxC", value_parser = image)]
    image: Option<[u32; 3]>,
    /// Range of the pixels that the weights were trained on: 0..255 (scaled by 1/255 in training), 0..1
    /// or -1..1
    #[arg(
        long,
        value_name = "RANGE",
        default_value = "0..255",
        allow_hyphen_values = true
    )]
    range: PixelRange,
    /// How they were standardised behind that: by the mean and deviation of each channel, as 0.5/0.25 or
    /// 0.485,0.456,0.406/0.229,0.224,0.225, or picture, by each picture's own [default: not]
    #[arg(long, value_name = "MEAN/DEVIATION|picture", value_parser = standardise, allow_hyphen_values = true)]
    standardise: Option<Standardise>,
}

impl ImportCommand {
    pub fn run(self) -> Result<ExitCode, Error> {
        if Format::of(&self.output).ok() != Some(Format::Safetensors) {
            return Err(exchange::Error::Ending {
                path: self.output,
                known: ".safetensors".into(),
            }
            .into());
        }
        let network = summary::network(&self.model)?;
        place::spare(&Some(self.output.clone()), [&self.file].into_iter())?;
        let class_names = self.classes.as_deref().map(classes).transpose()?;
        let wanted = Wanted {
            network,
            class_names,
            image: self.image,
            range: self.range,
            standardise: self.standardise,
        };
        let mut import = Import::open(&self.file, &wanted)?;
        import.write(&self.output)?;
        print(table(&import));
        let Import { model, record, .. } = &import;
        let [h, w, c] = model.image_shape();
        let output = self.output.display();
        print(format_args!(
            "{output}: {} weights of {} for images of {h} x {w} x {c}, pixels of {}; {} classes: {}",
            grouped(model.parameters()),
            model.name,
            record.preprocessing.range,
            model.classes,
            record.class_names.join(", ")
        ));
        let named = output::told(&self.output);
        output::next(&[
            format!("fer-gpu evaluate {named} --data DIR"),
            format!("fer-gpu predict {named} face.png"),
        ]);
        Ok(ExitCode::SUCCESS)
    }
}

/// Which tensor became which.
fn table(import: &Import) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["file tensor", "our tensor", "shape"]);
    for pair in &import.pairs {
        table.add_row([pair.place(), pair.ours.clone(), pair.shape.to_string()]);
    }
    table
}

/// The names of an option: a JSON list in a file, or a list with commas.
fn classes(text: &str) -> Result<Vec<String>, exchange::Error> {
    let wrong = |what: String| exchange::Error::Classes {
        given: text.into(),
        what,
    };
    let names: Vec<String> = if text.to_lowercase().ends_with(".json") {
        let path = Path::new(text);
        let read = crate::files::read_small(path)
            .map_err(|source| crate::files::Error::read(path, source))?;
        serde_json::from_slice(&read)
            .map_err(|why| wrong(format!("it is no JSON list of names: {why}")))?
    } else {
        text.split(',').map(|name| name.trim().into()).collect()
    };
    crate::data::classes::check(&names).map_err(wrong)?;
    Ok(names)
}

/// `48x48x1`
fn image(text: &str) -> Result<[u32; 3], String> {
    let extents: Option<Vec<u32>> = text.split('x').map(|part| part.parse().ok()).collect();
    let extents = extents.and_then(|extents| extents.try_into().ok());
    extents.ok_or_else(|| "height x width x channels, 48x48x1 say".into())
}

/// `0.5/0.25`, a number for each channel on both sides, or `picture`.
fn standardise(text: &str) -> Result<Standardise, String> {
    if text == "picture" {
        return Ok(Standardise::Picture { epsilon: EPSILON });
    }
    let numbers = |text: &str| -> Option<Vec<f64>> {
        text.split(',')
            .map(|part| part.trim().parse().ok())
            .collect()
    };
    let both = text.split_once('/');
    let both = both.and_then(|(mean, deviation)| Some((numbers(mean)?, numbers(deviation)?)));
    let (mean, deviation) = both.ok_or("mean/deviation, 0.5/0.25 say, or picture")?;
    let found = Standardise::Channel { mean, deviation };
    Ok(found)
}
