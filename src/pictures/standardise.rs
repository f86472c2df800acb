//! How the pixels that a network sees are standardised, as its weights' record says it. The device does it, by the
//! kernels of `ops::standardise`: nothing here touches a pixel.

use super::Error;
use serde::{Deserialize, Serialize};

/// The least deviation of a picture where nobody says another: a quarter of a grey level.
pub const EPSILON: f64 = 1e-3;

/// As JSON `{"by":"channel","mean":[0.5],"deviation":[0.25]}` or `{"by":"picture","epsilon":0.001}`, in units of the
/// scaled pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub enum Standardise {
    /// (x - mean) / deviation, a number of each for each channel.
    Channel { mean: Vec<f64>, deviation: Vec<f64> },
    /// (x - mean) / max(deviation, epsilon), of each picture over all its values. One of a single colour gives zeros.
    Picture { epsilon: f64 },
}

impl Standardise {
    /// Whether images of so many channels can be standardised so.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, channels: usize) -> Result<(), Error> {
        match self {
            Standardise::Channel { mean, deviation } => {
                for (what, numbers) in [("mean", mean), ("deviation", deviation)] {
                    if numbers.len() != channels {
                        return Err(Error::StandardiseCount {
                            what,
                            found: numbers.len(),
                            channels,
                        });
                    }
                }
                mean.iter().try_for_each(|&mean| is_size("mean", mean))?;
                let mut deviations = deviation.iter();
                deviations.try_for_each(|&deviation| is_positive("deviation", deviation))
            }
            Standardise::Picture { epsilon } => is_positive("epsilon", *epsilon),
        }
    }
}

/// Larger numbers are no pixels', and their squares would overflow.
const LARGEST: f64 = 1e6;

fn is_size(what: &'static str, found: f64) -> Result<(), Error> {
    match found.abs() <= LARGEST {
        true => Ok(()),
        false => Err(Error::Standardise {
            what,
            found,
            needed: "a number of the size of scaled pixels is needed",
        }),
    }
}

/// Its inverse must be a number of f32 that is far from the largest.
fn is_positive(what: &'static str, found: f64) -> Result<(), Error> {
    match (1.0 / LARGEST..=LARGEST).contains(&found) {
        true => Ok(()),
        false => Err(Error::Standardise {
            what,
            found,
            needed: "a number from 1e-6 to 1e6 is needed",
        }),
    }
}
