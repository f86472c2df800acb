//! The command line: one file for each subcommand, on top of everything else.

mod bench;
#[cfg(feature = "dashboard")]
mod dashboard;
mod data;
mod devices;
mod evaluate;
mod export;
mod home;
mod import;
mod learning;
mod output;
mod place;
mod plan;
mod plot_model;
mod predict;
mod progress;
mod recipes;
mod report;
mod run_data;
mod run_end;
mod score_table;
mod shell;
mod show;
mod status;
mod stop;
mod summary;
mod tensorboard;
mod train;
mod tune;
mod verify;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use miette::Diagnostic;
pub(crate) use output::{next, print, write};
use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::Instant;

/// Trains convolutional networks for facial expressions on any GPU.
#[derive(Parser)]
#[command(
    name = "fer-gpu",
    version,
    about,
    max_term_width = 100,
    disable_help_subcommand = true
)]
struct Cli {
    /// Tell only results and errors
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    quiet: bool,
    /// Colours on a terminal; NO_COLOR is obeyed too
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        help_heading = "Everywhere",
        hide_short_help = true
    )]
    color: ColorChoice,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network, on your data or on generated sample faces
    Train(Box<train::Train>),
    /// List the recipes of the box, with what they reached
    Recipes(recipes::Recipes),
    /// Tell how good a trained network is on labelled images
    Evaluate(evaluate::Evaluate),
    /// Tell what a trained network sees in pictures
    Predict(predict::Predict),
    /// Write a page about a run: curves, confusion matrix, mistakes; or about several side by side
    Report(report::Report),
    /// Write a trained network for other programs: ONNX, numpy, safetensors
    Export(export::Export),
    /// Take over weights that Keras or numpy wrote
    Import(import::ImportCommand),
    /// Print a network's layers, shapes and parameters
    Summary(summary::Summary),
    /// Draw a network: SVG, PNG or Graphviz's text
    PlotModel(plot_model::PlotModel),
    /// Print the schedule of a training step: dispatches, buffers, flops, bytes
    Plan(plan::PlanCommand),
    /// List the adapters, what they allow, and whether the seed network fits
    Devices(devices::Devices),
    /// Hold every kernel against its f64 reference, on every adapter
    Verify(verify::Verify),
    /// Time every kernel of a training step against the adapter's own ceilings, or whole steps
    Bench(bench::Bench),
    /// Find the fastest kernels for a network on this machine, and keep them for later runs
    Tune(tune::Tune),
    /// Import, part, look at and draw data sets
    Data(data::Data),
    /// Print a script that completes the command in a shell
    Completions(shell::Completions),
    /// Write manual pages
    Man(shell::Man),
}

/// The commands as `--help` shows them.
const GROUPS: [(&str, &[&str]); 5] = [
    (
        "Train and use",
        &["train", "recipes", "evaluate", "predict", "report"],
    ),
    ("Data and files", &["data", "export", "import"]),
    ("Look inside", &["summary", "plot-model", "plan"]),
    ("This machine", &["devices", "verify", "bench", "tune"]),
    ("Shell", &["completions", "man"]),
];

/// The command with its subcommands in groups.
fn command() -> clap::Command {
    let command = Cli::command();
    let style = command.get_styles().get_header().to_owned();
    let literal = command.get_styles().get_literal().to_owned();
    let mut groups = String::new();
    for (heading, names) in GROUPS {
        groups += &format!("{style}{heading}:{style:#}\n");
        for name in names {
            let about = command
                .find_subcommand(name)
                .and_then(|inner| inner.get_about());
            let about = about.map(ToString::to_string).unwrap_or_default();
            groups += &format!("  {literal}{name:12}{literal:#} {about}\n");
        }
        groups += "\n";
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{style}Options:{style:#}\n{{options}}{{after-help}}"
    ))
}

/// Whatever a subcommand failed of.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Train(#[from] crate::train::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] crate::data::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Drawing(#[from] crate::drawing::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ingest(#[from] crate::ingest::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Inference(#[from] crate::inference::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Exchange(#[from] crate::exchange::Error),
    #[error("{} was edited or damaged since its run wrote it", .0.display())]
    #[diagnostic(help("undo that, or give --data and --batch"))]
    Config(std::path::PathBuf),
    #[error("{} is a folder: the name of a file is needed", .0.display())]
    OutputIsFolder(std::path::PathBuf),
    #[error("{} is read by this command, whose output may not replace it", .0.display())]
    OutputOverInput(std::path::PathBuf),
    #[error("{} is no run's folder: it has no {}", .0.display(), crate::train::CONFIG)]
    NoRun(std::path::PathBuf),
    #[error("{} is a file of a run or of a data set, which nothing may replace", .0.display())]
    #[diagnostic(help("name another file"))]
    OutputOverFile(std::path::PathBuf),
    #[error("{} is there and was not made by this command", .0.display())]
    #[diagnostic(help("name another file, or remove that one"))]
    OutputOverOther(std::path::PathBuf),
    #[error("the recipe {} changes no image", .0.display())]
    #[diagnostic(help(
        "leave out --augment, or name one with a table [augment], as fer-inception"
    ))]
    ChangesNothing(std::path::PathBuf),
    #[error("{} says not on which data", .0.display())]
    #[diagnostic(help("give --data DIR"))]
    NoData(std::path::PathBuf),
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] crate::files::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Verify(#[from] verify::VerifyError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Bench(#[from] bench::BenchError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Card(#[from] crate::cards::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tune(tune::TuneError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Plot(#[from] plot_model::PlotError),
}

impl From<crate::gpu::Error> for Error {
    fn from(error: crate::gpu::Error) -> Error {
        Error::Train(error.into())
    }
}

impl From<crate::report::Error> for Error {
    fn from(error: crate::report::Error) -> Error {
        match error {
            crate::report::Error::Train(error) => Error::Train(error),
            crate::report::Error::Inference(error) => Error::Inference(error),
        }
    }
}

impl From<crate::bench::Error> for Error {
    fn from(error: crate::bench::Error) -> Error {
        match error {
            crate::bench::Error::Plan(error) => Error::Train(error.into()),
            crate::bench::Error::Gpu(error) => error.into(),
            error => Error::Bench(bench::BenchError::Run(error)),
        }
    }
}

impl Error {
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Train(error) => error.exit_code(),
            Error::Inference(error) => error.exit_code(),
            Error::Data(_)
            | Error::Exchange(_)
            | Error::Drawing(_)
            | Error::Ingest(_)
            | Error::ChangesNothing(_)
            | Error::NoData(_)
            | Error::NoRun(_)
            | Error::OutputOverFile(_)
            | Error::OutputOverOther(_)
            | Error::Config(_)
            | Error::OutputIsFolder(_)
            | Error::OutputOverInput(_)
            | Error::File(_)
            | Error::Verify(_)
            | Error::Bench(_)
            | Error::Card(_)
            | Error::Tune(_)
            | Error::Plot(_) => 2,
        }
    }
}

/// What `--color` says, also where the rest of the line is wrong.
fn colour_wanted() -> ColorChoice {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let behind = |at: usize| words.get(at + 1).map(String::as_str);
    let said = words.iter().enumerate().find_map(|(at, word)| {
        word.strip_prefix("--color=")
            .or_else(|| (word == "--color").then(|| behind(at)).flatten())
    });
    said.and_then(|word| word.parse().ok())
        .unwrap_or(ColorChoice::Auto)
}

/// The command: parses, runs and tells what went wrong. `started` is when the process began.
pub fn main(started: Instant) -> ExitCode {
    let colour = colour_wanted();
    match colour {
        ColorChoice::Auto => {}
        ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
    }
    let parsed = command().color(colour).try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        // Help, the version, or what is wrong with the options.
        Err(told) => {
            let code = match told.print() {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => 2,
                _ => told.exit_code(),
            };
            return ExitCode::from(code as u8);
        }
    };
    if cli.quiet {
        output::be_quiet();
    }
    let outcome = cli.run(started);
    let complain = |error: Error| {
        output::error(crate::train::causes(&error));
        error.help().into_iter().for_each(output::help);
        ExitCode::from(error.exit_code())
    };
    match (outcome, output::failure()) {
        (Err(error), _) => complain(error),
        (Ok(_), Some(error)) => complain(error),
        (Ok(code), None) => code,
    }
}

impl Cli {
    fn run(self, started: Instant) -> Result<ExitCode, Error> {
        let Some(command) = self.command else {
            return home::run();
        };
        match command {
            Command::Train(train) => train.run(started),
            Command::Recipes(recipes) => recipes.run(),
            Command::Evaluate(evaluate) => evaluate.run(),
            Command::Predict(predict) => predict.run(),
            Command::Report(report) => report.run(),
            Command::Export(export) => export.run(),
            Command::Import(import) => import.run(),
            Command::Summary(summary) => summary.run(),
            Command::PlotModel(plot) => plot.run(),
            Command::Plan(plan) => plan.run(),
            Command::Devices(devices) => devices.run(),
            Command::Verify(verify) => verify.run(),
            Command::Bench(bench) => bench.run(),
            Command::Tune(tune) => tune.run(),
            Command::Data(data) => data.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
        }
    }
}

/// Images that a batch of an option may have: no number of a kernel overflows.
const LARGEST_BATCH: i64 = 65_536;

/// A time that an option gives.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 86400".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cli, GROUPS};
    use clap::CommandFactory;

    #[test]
    fn every_command_is_in_one_group_of_the_help() {
        let mut listed: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        let command = Cli::command();
        let mut commands: Vec<&str> = command.get_subcommands().map(|c| c.get_name()).collect();
        listed.sort();
        commands.sort();
        assert_eq!(listed, commands);
        super::command().debug_assert();
    }
}
