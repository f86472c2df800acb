//! What a recipe's table `[standardise]` says, and the figures that follow from it and a training set.

use super::Error;
use crate::data::{Dataset, Split};
use crate::pictures::{self, EPSILON};
use serde::{Deserialize, Serialize};

/// How the pixels of a run are standardised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub enum Standardise {
    /// By mean and deviation of each channel over the training set, computed once.
    Set,
    /// By each picture's own, the deviation being at least epsilon.
    Picture { epsilon: f64 },
    /// By given ones, a number for each channel, in units of the scaled pixels.
    Given { mean: Vec<f64>, deviation: Vec<f64> },
}

/// The table as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Table {
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deviation: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon: Option<f64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    Set,
    Picture,
}

impl TryFrom<Table> for Standardise {
    type Error = &'static str;

    fn try_from(table: Table) -> Result<Standardise, &'static str> {
        let Table {
            by,
            mean,
            deviation,
            epsilon,
        } = table;
        match (by, mean, deviation, epsilon) {
            (Some(By::Set), None, None, None) => Ok(Standardise::Set),
            (Some(By::Picture), None, None, epsilon) => Ok(Standardise::Picture {
                epsilon: epsilon.unwrap_or(EPSILON),
            }),
            (None, Some(mean), Some(deviation), None) => Ok(Standardise::Given { mean, deviation }),
            _ => Err(
                "standardise takes by = \"set\", or by = \"picture\" with an epsilon, or mean and deviation",
            ),
        }
    }
}

impl From<Standardise> for Table {
    fn from(standardise: Standardise) -> Table {
        let usual = Table::default();
        match standardise {
            Standardise::Set => Table {
                by: Some(By::Set),
                ..usual
            },
            Standardise::Picture { epsilon } => Table {
                by: Some(By::Picture),
                epsilon: Some(epsilon),
                ..usual
            },
            Standardise::Given { mean, deviation } => Table {
                mean: Some(mean),
                deviation: Some(deviation),
                ..usual
            },
        }
    }
}

impl Standardise {
    /// What is done to the pixels of a run on that data set, as its weights' record will say it.
    ///
    /// # Errors
    /// If a channel of the set is of one colour, or the numbers are none for such images.
    pub fn of(&self, dataset: &Dataset) -> Result<pictures::Standardise, Error> {
        let found = match self {
            Standardise::Set => {
                let [mean, deviation] = statistics(dataset, &dataset.train);
                if let Some(channel) = deviation.iter().position(|&deviation| deviation == 0.0) {
                    return Err(Error::OneColour { channel });
                }
                pictures::Standardise::Channel { mean, deviation }
            }
            Standardise::Picture { epsilon } => {
                pictures::Standardise::Picture { epsilon: *epsilon }
            }
            Standardise::Given { mean, deviation } => pictures::Standardise::Channel {
                mean: mean.clone(),
                deviation: deviation.clone(),
            },
        };
        found.check(dataset.image[2])?;
        Ok(found)
    }
}

/// Mean and (biased) deviation of each channel of the scaled pixels, summed in f64, row by row; as the shortest decimals
/// that are the f32 that the device will have, so that every text says the same number.
fn statistics(dataset: &Dataset, split: &Split) -> [Vec<f64>; 2] {
    let [height, width, channels] = dataset.image;
    let mut row = vec![0.0; height * width * channels];
    let mut sums = vec![[0.0f64; 2]; channels];
    // Distances from the first pixel: of one colour they are zero.
    split.row_f32(0, dataset.range.scale(), &mut row);
    let about: Vec<f64> = row[..channels].iter().map(|&v| v.into()).collect();
    for at in 0..split.rows() {
        split.row_f32(at, dataset.range.scale(), &mut row);
        for (channel, sums) in sums.iter_mut().enumerate() {
            let (mut first, mut second) = (0.0, 0.0);
            for &value in row[channel..].iter().step_by(channels) {
                let d = f64::from(value) - about[channel];
                first += d;
                second += d * d;
            }
            sums[0] += first;
            sums[1] += second;
        }
    }
    let count = (split.rows() * height * width) as f64;
    let shortest = |value: f64| (value as f32).to_string().parse().unwrap_or(value);
    let mean = |([first, _], about): (&[f64; 2], &f64)| shortest(about + first / count);
    let deviation = |[first, second]: &[f64; 2]| {
        let variance = second / count - (first / count).powi(2);
        shortest(variance.max(0.0).sqrt())
    };
    [
        sums.iter().zip(&about).map(mean).collect(),
        sums.iter().map(deviation).collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{PixelRange, Pixels};

    fn set(pixels: Pixels, range: PixelRange, image: [usize; 3]) -> Dataset {
        let rows = pixels.len() / image.iter().product::<usize>();
        let split = Split::of(pixels, vec![0; rows]);
        Dataset::whole(split, range, image, crate::data::class_names(2), "".into())
    }

    #[test]
    fn the_figures_of_a_set_are_those_of_its_scaled_pixels() {
        // Two rows of 1 x 2 pixels of two channels: 0, 51, 102, 255 and a constant distance of 10 around 100.
        let pixels = vec![0, 90, 51, 110, 102, 90, 255, 110];
        let set = set(Pixels::U8(pixels), PixelRange::ZeroTo255, [1, 2, 2]);
        let [mean, deviation] = statistics(&set, &set.train);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-7, "{a}, not {b}");
        near(mean[0], 0.4);
        near(mean[1], 100.0 / 255.0);
        near(deviation[0], (0.56f64 / 4.0).sqrt());
        near(deviation[1], 10.0 / 255.0);
        // Not 0.4000000059604645: the same f32, and short.
        assert_eq!(mean[0], 0.4);
    }

    #[test]
    fn a_channel_of_one_colour_has_no_deviation() {
        let plain = |value| set(Pixels::U8(vec![value; 8]), PixelRange::ZeroTo255, [2, 2, 1]);
        for value in [0, 77, 255] {
            let found = Standardise::Set.of(&plain(value));
            assert!(
                matches!(found, Err(Error::OneColour { channel: 0 })),
                "{found:?}"
            );
        }
        let floats = Pixels::F32(vec![-0.3; 8]);
        let set = set(floats, PixelRange::MinusOneToOne, [2, 2, 1]);
        assert!(Standardise::Set.of(&set).is_err());
    }

    #[test]
    fn a_table_says_one_thing_or_is_refused() {
        let read = |text: &str| toml::from_str::<Standardise>(text);
        for text in [
            "by = \"set\"",
            "by = \"picture\"",
            "by = \"picture\"\nepsilon = 0.01",
            "mean = [0.5]\ndeviation = [0.25]",
        ] {
            let found = read(text).expect(text);
            let again = toml::to_string(&found).expect("a table");
            assert_eq!(read(&again).expect(&again), found);
        }
        for text in [
            "",
            "by = \"batch\"",
            "by = \"set\"\nmean = [0.5]",
            "by = \"set\"\nepsilon = 0.01",
            "mean = [0.5]",
            "mean = [0.5]\ndeviation = [0.25]\nepsilon = 1.0",
            "by = \"set\"\nstd = [0.5]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let set = Dataset::sample_faces(0, [8, 8]);
        for (mean, deviation) in [
            (vec![0.5; 3], vec![0.5; 3]),
            (vec![0.5], vec![0.0]),
            (vec![0.5], vec![-1.0]),
            (vec![f64::NAN], vec![1.0]),
        ] {
            assert!(Standardise::Given { mean, deviation }.of(&set).is_err());
        }
        assert!(Standardise::Picture { epsilon: 0.0 }.of(&set).is_err());
    }
}
