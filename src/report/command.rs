//! The command that trains the same weights again, to be pasted into a shell.

use super::Outcome;
use crate::train::{Config, NETWORK, RECIPE, Regime};
use std::path::Path;

/// What trains the weights of a run again, a command a line: a rate that was changed on the way is a command of
/// its own, that goes on with the run.
pub fn commands(outcome: &Outcome) -> Vec<String> {
    let config = &outcome.config;
    if config.regime != Regime::default() {
        return vec![by_recipe(outcome)];
    }
    let rate = |row: &crate::train::EpochRow| row.learning_rate.unwrap_or(config.learning_rate);
    // (rate, the last epoch that has it)
    let mut parts: Vec<(f64, u32)> = Vec::new();
    for row in &outcome.history {
        match parts.last_mut() {
            Some((same, epochs)) if *same == rate(row) => *epochs = row.epoch,
            _ => parts.push((rate(row), row.epoch)),
        }
    }
    if parts.is_empty() {
        parts.push((config.learning_rate, config.epochs));
    }
    let again = match parts.len() {
        1 => None,
        _ => Some(format!("{}-again", outcome.folder.display())),
    };
    let mut commands = vec![train(
        &outcome.folder,
        config,
        parts[0].0,
        parts[0].1,
        again.as_deref(),
    )];
    for (rate, epochs) in &parts[1..] {
        let folder = path(Path::new(again.as_ref().expect("several parts")));
        commands.push(format!(
            "fer-gpu train --resume {folder} --epochs {epochs} --lr {rate}"
        ));
    }
    commands
}

/// A new run by the recipe that the run wrote.
fn by_recipe(outcome: &Outcome) -> String {
    let config = &outcome.config;
    let mut text = format!(
        "fer-gpu train --recipe {}",
        path(&outcome.folder.join(RECIPE))
    );
    let options = [("data", &config.data), ("init-from", &config.init_from)];
    for (name, file) in options {
        text.extend(file.iter().map(|file| format!(" --{name} {}", path(file))));
    }
    text
}

/// A new run of a configuration.
fn train(folder: &Path, config: &Config, rate: f64, epochs: u32, out: Option<&str>) -> String {
    let model = match &config.model_file {
        Some(_) => path(&folder.join(NETWORK)),
        None => quoted(&config.model),
    };
    let mut text = format!("fer-gpu train --model {model}");
    let mut option = |name: &str, value: String| text += &format!(" --{name} {value}");
    if let Some(data) = config.data.as_ref() {
        option("data", path(data));
    }
    option("epochs", epochs.to_string());
    option("batch", config.batch.to_string());
    option("lr", rate.to_string());
    option("optimizer", quoted(&config.optimizer));
    if config.momentum != 0.0 {
        option("momentum", config.momentum.to_string());
    }
    option("seed", config.seed.to_string());
    if let Some(file) = &config.init_from {
        option("init-from", path(file));
    }
    if let Some(out) = out {
        option("out", path(Path::new(out)));
    }
    let switches = [
        (config.nesterov, "--nesterov"),
        (!config.shuffle, "--no-shuffle"),
        (config.overfit_batch, "--overfit-batch"),
    ];
    let switches = switches.iter().filter(|switch| switch.0);
    switches.for_each(|switch| text += &format!(" {}", switch.1));
    text
}

/// A path that no shell and no option parser takes for something else.
pub fn path(path: &Path) -> String {
    let text = path.display().to_string();
    match text.starts_with('-') {
        true => quoted(&format!("./{text}")),
        false => quoted(&text),
    }
}

/// A word for a shell: as it is if that is safe, else in quotes; what moves a cursor is spelt out.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    if !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let spelt = |c: char| match c {
        '\\' | '\'' => format!("\\{c}"),
        c if c.is_control() => {
            let mut bytes = [0; 4];
            let bytes = c.encode_utf8(&mut bytes).bytes();
            bytes.map(|byte| format!("\\x{byte:02x}")).collect()
        }
        c => c.into(),
    };
    format!("$'{}'", text.chars().map(spelt).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::{path, quoted};
    use std::path::Path;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (text, expected) in [
            ("runs/a-1.5", "runs/a-1.5"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's; rm -r $HOME", r"'it'\''s; rm -r $HOME'"),
            ("a\u{1b}[2J\n'\\", r"$'a\x1b[2J\x0a\'\\'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
        assert_eq!(path(Path::new("-rf")), "./-rf");
    }

    /// A shell reads them as they were.
    #[test]
    #[cfg(unix)]
    fn a_shell_takes_them_back() {
        for text in [
            "a b",
            "it's; $HOME `x` \"y\" \\",
            "é\u{1b}\n\u{85}'\\x41",
            "*?[a]~#!&|<>(){}",
        ] {
            let mut shell = std::process::Command::new("bash");
            let script = format!("printf %s {}", quoted(text));
            let Ok(output) = shell.args(["-c", &script]).output() else {
                return;
            };
            assert_eq!(String::from_utf8_lossy(&output.stdout), text);
        }
    }
}
