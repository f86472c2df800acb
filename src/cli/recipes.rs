//! `fer-gpu recipes`: the recipes of the box, with what they reached.

use super::{Error, output, print};
use crate::train::RECIPES;
use clap::Args;
use serde_json::json;
use std::process::ExitCode;

#[derive(Args)]
pub struct Recipes {
    /// Print the text of one, to be saved and changed
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "name")]
    json: bool,
}

impl Recipes {
    pub fn run(self) -> Result<ExitCode, Error> {
        if let Some(name) = &self.name {
            let known = || {
                RECIPES
                    .iter()
                    .map(|boxed| boxed.name)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let found = RECIPES.iter().find(|boxed| boxed.name == name);
            let boxed = found.ok_or_else(|| crate::train::Error::UnknownRecipe {
                found: name.clone(),
                known: known(),
            })?;
            print(boxed.text.trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        for boxed in RECIPES {
            let recipe = boxed.recipe();
            let about = recipe.about.clone().unwrap_or_default();
            if self.json {
                print(json!({ "name": boxed.name, "about": about, "reached": recipe.reached }));
                continue;
            }
            let reached = recipe.reached.unwrap_or_else(|| "not measured yet".into());
            print(format_args!(
                "{}\n    {about}\n    reached: {reached}",
                boxed.name
            ));
        }
        if !self.json {
            output::next(&["fer-gpu train --recipe NAME --data DIR".to_string()]);
        }
        Ok(ExitCode::SUCCESS)
    }
}
