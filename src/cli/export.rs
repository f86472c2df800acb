//! `fer-gpu export`: a trained network as a file that other programs open.

use super::Error;
use super::output::{self, print};
use super::place;
use crate::drawing::grouped;
use crate::exchange::{self, Format, Trained, onnx};
use crate::inference::{self, Opened, Which};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu export run -o model.onnx
  fer-gpu export run -o weights.npz
  fer-gpu export run --last -o last.safetensors")]
pub struct Export {
    /// Folder of a run, or a file of weights
    #[arg(value_name = "RUN|FILE.safetensors")]
    weights: PathBuf,
    /// File to write; its ending says the format: .onnx (the network), .npz or .safetensors (its weights)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Of a run, the weights of its last epoch or stop instead of its best
    #[arg(long)]
    last: bool,
}

impl Export {
    pub fn run(self) -> Result<ExitCode, Error> {
        let format = Format::of(&self.output)?;
        let which = if self.last { Which::Last } else { Which::Best };
        let path = inference::find(&self.weights, which)?;
        place::spare(&Some(self.output.clone()), [&path].into_iter())?;
        let opened = Opened::open(&path)?;
        opened.notice().into_iter().for_each(output::note);
        let (record, model, file) = opened.into_parts();
        let mut trained = Trained::new(record, model, file)?;
        exchange::write(&self.output, format, &mut trained)?;
        print(format_args!(
            "{}: {}",
            self.output.display(),
            about(format, &trained)
        ));
        output::next(&[format!("fer-gpu evaluate {}", output::told(&self.weights))]);
        Ok(ExitCode::SUCCESS)
    }
}

/// What was written, in a line.
fn about(format: Format, trained: &Trained) -> String {
    let Trained { record, model, .. } = trained;
    let [h, w, c] = model.image_shape();
    let numbers = grouped(model.parameters());
    match format {
        Format::Onnx => format!(
            "{} as ONNX, opset {}: `{}` (N, {h}, {w}, {c}) float32 of 0..255 to `{}` and `{}` (N, {})",
            model.name,
            onnx::OPSET,
            onnx::IMAGES,
            onnx::LOGITS,
            onnx::PROBABILITIES,
            model.classes
        ),
        Format::Npz => format!(
            "{numbers} weights of {}, an array for each tensor",
            model.name
        ),
        Format::Safetensors => format!(
            "{numbers} weights of {} with what is needed to use them, of epoch {}",
            model.name, record.epoch
        ),
    }
}
