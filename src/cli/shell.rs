//! `fer-gpu completions` and `fer-gpu man`: what shells and `man` know of the command.

use super::output::{self, told};
use super::{Cli, Error, print};
use crate::files;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "\
Examples:
  fer-gpu completions bash > ~/.local/share/bash-completion/completions/fer-gpu
  fer-gpu completions zsh > ~/.zfunc/_fer-gpu
  fer-gpu completions fish > ~/.config/fish/completions/fer-gpu.fish")]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<ExitCode, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "fer-gpu", &mut script);
        let script = String::from_utf8(script).expect("a script is text");
        print(script.trim_end());
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  fer-gpu man --out ~/.local/share/man/man1")]
pub struct Man {
    /// Folder for the pages, one for each command
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Man {
    pub fn run(self) -> Result<ExitCode, Error> {
        let failed = |source| files::Error::write(&self.out, source);
        std::fs::create_dir_all(&self.out).map_err(failed)?;
        let mut command = Cli::command();
        command.build();
        let pages = write_pages(&command, "fer-gpu", &self.out)?;
        print(format_args!(
            "{} in {}",
            output::plural(pages, "page"),
            told(&self.out)
        ));
        output::next(&[format!("man {}", told(&self.out.join("fer-gpu.1")))]);
        Ok(ExitCode::SUCCESS)
    }
}

/// The page of a command and those of its subcommands; how many.
fn write_pages(command: &clap::Command, name: &str, out: &Path) -> Result<u64, Error> {
    let path = out.join(format!("{name}.1"));
    // `bin_name` would have a blank where the page's name has a dash.
    let page = clap_mangen::Man::new(command.clone().name(name.to_string()));
    let mut text = Vec::new();
    let rendered: io::Result<()> = page.render(&mut text);
    rendered.map_err(|source| files::Error::write(&path, source))?;
    files::replace(&path, |out: &mut dyn Write| {
        let failed = |source| files::Error::write(&path, source);
        out.write_all(&text).map_err(failed)
    })?;
    let mut pages = 1;
    for inner in command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
    {
        pages += write_pages(inner, &format!("{name}-{}", inner.get_name()), out)?;
    }
    Ok(pages)
}
