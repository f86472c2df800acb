//! The first batch of a run, drawn: its images as training makes them, each with what it is taken for. A configuration and
//! a data set in, a sheet out; no device is needed. Which rows, what becomes of each and what it is mixed with are what
//! training itself asks `Batches` for; pixels are the reference's of the kernel that changes them.

use super::Error;
use super::prepare::{check_options, reduced};
use super::state::{AUGMENTED, Config};
use crate::augment;
use crate::data::Dataset;
use crate::drawing::{self, Contact, Tile};
use crate::files;
use crate::gpu::{Batch, Images};
use crate::ops::Step;
use crate::ops::augment::{Augment as Params, Record};
use crate::ops::reference;
use rayon::prelude::*;
use std::path::Path;

/// Images of a sheet, at the most.
const SHOWN: usize = 64;

/// The first batch of a run of that configuration on that set, of which one of fewer images than a batch is all.
///
/// # Errors
/// Where no run can have such a configuration.
pub fn preview(config: &Config, dataset: Dataset) -> Result<Contact, Error> {
    check_options(config)?;
    Ok(contact(config, &reduced(config, dataset)))
}

/// Draws it into the folder of a new run that changes its images. Why it could not, if so: a run does not end for want of
/// a picture.
pub(super) fn write(folder: &Path, config: &Config, dataset: &Dataset) -> Option<String> {
    config.regime.augment.as_ref()?;
    let path = folder.join(AUGMENTED);
    let draw = || -> Result<(), Error> {
        let png = drawing::contact(&contact(config, dataset))?;
        let failed = |source| files::Error::write(&path, source);
        Ok(files::replace(&path, |out| {
            out.write_all(&png).map_err(failed)
        })?)
    };
    let why = draw().err()?;
    Some(format!("no {AUGMENTED}: {}", super::causes(&why)))
}

fn contact(config: &Config, dataset: &Dataset) -> Contact {
    // What is told of mixtures are shares of the images, whatever their classes count.
    let mut batches = super::batches(config, dataset, None, 0, false);
    let mut tiles = Vec::new();
    let mut rows = 0;
    for shard in 0..batches.shards_of(0) {
        let batch = batches.shard(0, shard, Step::default());
        rows = batch.step.all_rows as usize;
        let shown = (SHOWN - tiles.len()).min(batch.step.valid_rows as usize);
        let tile = |row| tile(&batch, dataset, row);
        tiles.par_extend((0..shown).into_par_iter().map(tile));
    }
    let changes = match &config.regime.augment {
        Some(augment) => format!("augmented by {augment}"),
        None => "as they are".into(),
    };
    let number = match tiles.len() {
        1 => "1 image".into(),
        all if all == rows => format!("{all} images"),
        some => format!("{some} of {rows} images"),
    };
    Contact {
        title: "The first batch".into(),
        about: format!(
            "{number} of {}, seed {}\n{changes}",
            dataset.name, config.seed
        ),
        tiles,
    }
}

/// A row of a batch, changed, with the shares of its classes.
fn tile(batch: &Batch, dataset: &Dataset, row: usize) -> Tile {
    let names = &dataset.class_names;
    let labels = match batch.targets {
        Some(targets) => {
            let shares = &targets[row * names.len()..][..names.len()];
            names.iter().cloned().zip(shares.iter().copied()).collect()
        }
        None => vec![(names[batch.labels[row] as usize].clone(), 1.0)],
    };
    let bounds = augment::bounds(dataset.range);
    let planes = changed(batch, dataset, row);
    Tile::new(&planes, dataset.image, [bounds.low, bounds.high], labels)
}

/// Its pixels, (channels, height, width).
fn changed(batch: &Batch, dataset: &Dataset, row: usize) -> Vec<f32> {
    let Images::Host(pixels) = batch.images else {
        unreachable!("gathered on the host")
    };
    let elements: usize = dataset.image.iter().product();
    let image = |row: usize| &pixels[row * elements..][..elements];
    let Some(augmented) = &batch.augmented else {
        return image(row).to_vec();
    };
    let record = augmented.records[row];
    let partner = record.partner as usize;
    // The two are a batch of their own, of which one is wanted.
    let pair = [image(row), image(partner)].concat();
    let own = Record {
        partner: 1.0,
        ..record
    };
    let records = [own, augmented.records[partner]];
    let size = dataset.image.map(|side| side as u32);
    let params = Params::of(1, size, augment::bounds(dataset.range));
    let step = Step::new(0, 1, [0.0; 4]);
    let [pair, records] = [bytemuck::cast_slice(&pair), bytemuck::cast_slice(&records)];
    let changed = reference::augment::augment(&params, &step, pair, records);
    changed.values.iter().map(|&value| value as f32).collect()
}
