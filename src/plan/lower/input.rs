//! How the images of a batch come to the network: gathered where they lie on the device, augmented in training and
//! standardised where that is asked for. Each stage hands on where it left them, so that host and device paths share what follows.

use super::super::{AUGMENTATIONS, Error, Options, Source};
use super::{Emitter, Lowering};
use crate::graph::Place;
use crate::network::Model;
use crate::ops::Phase;
use crate::ops::augment::{self, Augment};
use crate::ops::gather::{Gather, GatherParams};
use crate::ops::standardise::{ByChannels, ByPictures, Channels, Pictures, Standard};

/// Refuses figures that are none of such images.
pub(super) fn check(model: &Model, options: &Options) -> Result<(), Error> {
    let [_, _, channels] = model.image_shape();
    match &options.standard {
        Some(Standard::Channels { mean, scale })
            if [mean, scale]
                .iter()
                .any(|all| all.len() != channels as usize) =>
        {
            Err(Error::Standard {
                channels,
                means: mean.len(),
                scales: scale.len(),
            })
        }
        _ => Ok(()),
    }
}

/// What the kernel binds of them: means, then scales.
pub(super) fn statistics(options: &Options) -> Option<Vec<f32>> {
    match options.standard.as_ref()? {
        Standard::Channels { mean, scale } => Some([&mean[..], scale].concat()),
        Standard::Pictures { .. } => None,
    }
}

impl Lowering<'_> {
    /// The images of the batch, as the network is to see them.
    pub(super) fn input(&self, emitter: &mut Emitter) {
        let Some(images) = self.port("images") else {
            return;
        };
        emitter.begin(0, "image", Phase::Input);
        self.gather(images, emitter);
        let images = self.augment(images, emitter);
        let images = self.standardise(images, emitter);
        emitter.of.insert(self.model.image, images);
    }

    /// Scaled rows of the set, where it lies on the device; else the host has written them.
    fn gather(&self, images: Place, emitter: &mut Emitter) {
        let Source::Device { rows, scale, .. } = self.wanted.images else {
            return;
        };
        let [h, w, channels] = self.model.image_shape();
        let params = GatherParams {
            rows: self.wanted.batch,
            row_words: (h * w * channels).div_ceil(4),
            pixels: h * w,
            channels,
            data_rows: rows,
            scale,
        };
        let [data, rows] = ["data", "rows"].map(|name| self.port(name).expect("a port"));
        emitter.push(&Gather, &params, &[data, rows, images]);
    }

    /// Each as its record wants it.
    fn augment(&self, images: Place, emitter: &mut Emitter) -> Place {
        let (Some(range), Some(records)) =
            (self.options.training.augment, self.port(AUGMENTATIONS))
        else {
            return images;
        };
        let params = Augment::of(self.wanted.batch, self.model.image_shape(), range);
        let augmented = emitter.transient("augmented images".into(), params.elements());
        emitter.push(&augment::Apply, &params, &[images, records, augmented]);
        augmented
    }

    fn standardise(&self, images: Place, emitter: &mut Emitter) -> Place {
        let Some(standard) = &self.options.standard else {
            return images;
        };
        let [h, w, c] = self.model.image_shape();
        let (n, pixels) = (self.wanted.batch, h * w);
        let to = emitter.transient("standardised images".into(), (n * c * pixels) as usize);
        match *standard {
            Standard::Channels { .. } => {
                let statistics = self.statistics.expect("a constant of the plan");
                let params = Channels { n, c, pixels };
                emitter.push(&ByChannels, &params, &[images, statistics, to]);
            }
            Standard::Pictures { epsilon } => {
                let values = c * pixels;
                let params = Pictures { n, values, epsilon };
                emitter.push(&ByPictures, &params, &[images, to]);
            }
        }
        to
    }
}
