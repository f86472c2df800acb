//! `fer-gpu plot-model`: a network as a picture.

use super::place::{self, Made};
use super::{Error, output, print, summary, write};
use crate::drawing::{self, Options};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu plot-model --model inception -o model.svg --shapes
  fer-gpu plot-model --model inception-gap -o model.png")]
pub struct PlotModel {
    /// Network, by name or by file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "inception")]
    model: String,
    /// The picture: .svg, .png or .dot (Graphviz) by its ending; - writes SVG to standard output
    #[arg(short, long, value_name = "FILE|-")]
    output: PathBuf,
    /// Tell input and output shapes and parameters too
    #[arg(long)]
    shapes: bool,
    /// Classes
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    classes: u32,
}

/// What drawing can fail of.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum PlotError {
    #[error("{}: a picture ends in .svg, .png or .dot", .0.display())]
    Ending(PathBuf),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Drawing(#[from] drawing::Error),
}

/// What a picture is written as.
#[derive(Clone, Copy)]
enum Format {
    Svg,
    Png,
    Dot,
}

impl Format {
    fn of(path: &Path) -> Result<Format, PlotError> {
        if path == Path::new("-") {
            return Ok(Format::Svg);
        }
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("svg") => Ok(Format::Svg),
            Some("png") => Ok(Format::Png),
            Some("dot" | "gv") => Ok(Format::Dot),
            _ => Err(PlotError::Ending(path.into())),
        }
    }
}

impl PlotModel {
    pub fn run(self) -> Result<ExitCode, Error> {
        let format = Format::of(&self.output)?;
        let model = summary::model(&summary::network(&self.model)?, self.classes)?;
        let options = Options {
            shapes: self.shapes,
        };
        place::spare(&Some(self.output.clone()), std::iter::empty())?;
        place::must_be_made_here(
            &self.output,
            match format {
                Format::Png => Made::Png,
                Format::Svg | Format::Dot => Made::Text(&["svg", "dot", "gv"]),
            },
        )?;
        output::reserve([&Some(self.output.clone())]);
        match format {
            Format::Svg => write(&self.output, &drawing::svg(&model, &options))?,
            Format::Dot => write(&self.output, &drawing::dot(&model, &options))?,
            Format::Png => {
                let bytes = drawing::png(&model, &options).map_err(PlotError::from)?;
                output::write_bytes(&self.output, &bytes)?;
            }
        }
        if self.output != Path::new("-") {
            print(format_args!("drawn in {}", self.output.display()));
        }
        output::next(&[format!(
            "fer-gpu summary --model {}",
            summary::told(&self.model)
        )]);
        Ok(ExitCode::SUCCESS)
    }
}
