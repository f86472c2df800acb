//! Feeds data sets to devices: the order of the batches and where their images come from: rows of the set on the device,
//! or pixels that the host gathers. Both give the same bits.

use crate::augment::{Draw, Wanted, mixture};
use crate::data::{Dataset, Pixels, Split};
use crate::gpu::{self, Augmented, Batch, Executor, Images, Work};
use crate::ops::Step;
use crate::ops::augment::Record;
use crate::plan::Source;
use crate::profile::Limits;
use crate::random;

/// Share of the shuffle in the random streams of a seed.
const SHUFFLE: u64 = 1;

/// A set on the device takes at most this much of its memory.
const LARGEST_ON_DEVICE: u64 = 1 << 30;

/// Where the images of training and validation should live.
pub fn placement(dataset: &Dataset, limits: &Limits) -> [Source; 2] {
    let row = dataset.image.iter().product::<usize>().next_multiple_of(4) as u64;
    let bytes = |split: &Split| row * split.rows() as u64;
    let (train, test) = (bytes(&dataset.train), bytes(&dataset.test));
    let largest = limits.max_storage_binding.min(limits.max_buffer_size);
    let fits = train.max(test) <= largest && train + test <= LARGEST_ON_DEVICE;
    let both_u8 = dataset.train.pixels.is_u8() && dataset.test.pixels.is_u8();
    if !(fits && both_u8) {
        return [Source::Host; 2];
    }
    let of = |set, split: &Split| Source::Device {
        set,
        rows: split.rows() as u32,
        scale: dataset.range.scale(),
    };
    [
        of("training images", &dataset.train),
        of("validation images", &dataset.test),
    ]
}

/// Copies the sets to the device, where the plan wants them there.
pub fn upload(executor: &Executor, dataset: &Dataset) -> Result<(), gpu::Error> {
    let of_program = [
        (Work::TRAIN, &dataset.train),
        (Work::EVALUATE, &dataset.test),
    ];
    for (work, split) in of_program {
        let program = executor.plan.program(work.program);
        let Some(port) = program.and_then(|program| program.port("data")) else {
            continue;
        };
        let Pixels::U8(pixels) = &split.pixels else {
            unreachable!("planned for u8")
        };
        let row = dataset.image.iter().product::<usize>();
        let padded = row.next_multiple_of(4);
        // A few thousand rows at a time: the driver stages what it is given.
        let mut chunk = Vec::new();
        for (i, rows) in pixels.chunks(row * 4096).enumerate() {
            chunk.clear();
            for pixels in rows.chunks(row) {
                chunk.extend_from_slice(pixels);
                chunk.resize(chunk.len().next_multiple_of(padded), 0);
            }
            executor.gpu.upload(
                executor.buffer(port.buffer),
                (i * 4096 * padded) as u64,
                &chunk,
            );
        }
    }
    executor.gpu.check("the data set")
}

/// The batches of one pass over a split, each in equal shards.
pub struct Batches<'a> {
    split: &'a Split,
    order: Vec<u32>,
    batch: usize,
    shards: usize,
    scale: f32,
    image: [usize; 3],
    classes: usize,
    on_device: bool,
    draw: Option<Draw>,
    class_weights: Option<Vec<f32>>,
    records: Vec<Record>,
    weights: Vec<f32>,
    rows: Vec<u32>,
    labels: Vec<u32>,
    targets: Vec<f32>,
    pixels: Vec<f32>,
}

impl<'a> Batches<'a> {
    /// Batches of `order`, the last of which may be smaller, in so many shards.
    ///
    /// # Panics
    /// If the shards are no equal parts of a batch.
    pub fn new(
        dataset: &Dataset,
        split: &'a Split,
        order: Vec<u32>,
        [batch, shards]: [u32; 2],
        on_device: bool,
    ) -> Batches<'a> {
        assert!(
            batch.is_multiple_of(shards),
            "{batch} rows in {shards} shards"
        );
        Batches {
            split,
            order,
            batch: batch as usize,
            shards: shards as usize,
            scale: dataset.range.scale(),
            image: dataset.image,
            classes: dataset.class_names.len(),
            on_device,
            draw: None,
            class_weights: None,
            records: Vec::new(),
            weights: Vec::new(),
            rows: Vec::new(),
            labels: Vec::new(),
            targets: Vec::new(),
            pixels: Vec::new(),
        }
    }

    /// The same with what becomes of each image, for a plan that augments; mixtures count as their classes do.
    pub fn augmented(self, draw: Option<Draw>, class_weights: Option<Vec<f32>>) -> Batches<'a> {
        Batches {
            draw,
            class_weights,
            ..self
        }
    }

    pub fn count(&self) -> u32 {
        self.order.len().div_ceil(self.batch) as u32
    }

    /// Batch number `index`, where it is one shard.
    pub fn get(&mut self, index: u32, step: Step) -> Batch<'_> {
        self.shard(index, 0, step)
    }

    /// The rows of batch number `index`.
    fn rows_of(&self, index: u32) -> &[u32] {
        let first = index as usize * self.batch;
        &self.order[first..(first + self.batch).min(self.order.len())]
    }

    /// How many shards of it have rows: all, but of a last batch that is short.
    pub fn shards_of(&self, index: u32) -> u32 {
        let rows = self.rows_of(index).len();
        rows.div_ceil(rows.div_ceil(self.shards)) as u32
    }

    /// A shard of batch number `index`; places behind its rows repeat the first and are masked. Of `step` the rows are
    /// filled in.
    pub fn shard(&mut self, index: u32, shard: u32, step: Step) -> Batch<'_> {
        let all = self.rows_of(index);
        let each = all.len().div_ceil(self.shards);
        let first = shard as usize * each;
        let valid = all[first..(first + each).min(all.len())].to_vec();
        let step = Step {
            valid_rows: valid.len() as u32,
            all_rows: all.len() as u32,
            first_row: first as u32,
            shard_share: 1.0 / self.shards_of(index) as f32,
            ..step
        };
        self.rows.clear();
        self.rows.extend_from_slice(&valid);
        self.rows.resize(self.batch / self.shards, valid[0]);
        self.labels.clear();
        self.labels
            .extend(self.rows.iter().map(|&row| self.split.labels[row as usize]));
        self.augment(&valid);
        let mixes = self.draw.as_ref().is_some_and(Draw::mixes);
        if mixes {
            self.mix();
        } else if let Some(shares) = &self.split.shares {
            let of_row = |&row: &u32| &shares[row as usize * self.classes..][..self.classes];
            self.targets.clear();
            self.targets.extend(self.rows.iter().flat_map(of_row));
        }
        if !self.on_device {
            self.gather(valid.len());
        }
        let images = if self.on_device {
            Images::Rows(&self.rows)
        } else {
            Images::Host(&self.pixels)
        };
        Batch {
            images,
            labels: &self.labels,
            targets: (mixes || self.split.shares.is_some()).then_some(&self.targets[..]),
            augmented: self.draw.as_ref().map(|_| Augmented {
                records: &self.records,
                weights: &self.weights,
            }),
            step,
        }
    }

    /// What becomes of the shard's images.
    fn augment(&mut self, valid: &[u32]) {
        if let Some(draw) = &self.draw {
            self.records = draw.records(valid);
            self.records.resize(self.rows.len(), Record::PLAIN);
        }
    }

    /// What the loss wants of the shard's rows as they are mixed.
    fn mix(&mut self) {
        let wanted = |at: usize| {
            let (row, label) = (self.rows[at] as usize, self.labels[at]);
            let shares = self.split.shares.as_ref();
            let weights = self.class_weights.as_ref();
            Wanted {
                label,
                shares: shares.map(|shares| &shares[row * self.classes..][..self.classes]),
                weight: weights.map_or(1.0, |weights| weights[label as usize]),
            }
        };
        self.targets.resize(self.rows.len() * self.classes, 0.0);
        let targets = self.targets.chunks_mut(self.classes);
        let mixed = self.records.iter().zip(targets).enumerate();
        let mixed = mixed.map(|(at, (record, target))| {
            mixture(
                record.share,
                wanted(at),
                wanted(record.partner as usize),
                target,
            )
        });
        self.weights = mixed.collect();
    }

    /// Scaled pixels in (n, c, h, w) order, zero behind the valid rows, as the gather kernel does.
    fn gather(&mut self, valid: usize) {
        let elements = self.image.iter().product();
        self.pixels.resize(self.rows.len() * elements, 0.0);
        let mut row = vec![0.0; elements];
        for (i, out) in self.pixels.chunks_mut(elements).enumerate() {
            if i >= valid {
                out.fill(0.0);
                continue;
            }
            self.split
                .row_f32(self.rows[i] as usize, self.scale, &mut row);
            planes(&row, self.image[2], out);
        }
    }
}

/// An image (h, w, c) as (c, h, w), which is how devices hold it.
pub fn planes(image: &[f32], channels: usize, planes: &mut [f32]) {
    let pixels = image.len() / channels;
    for (at, value) in image.iter().enumerate() {
        planes[at % channels * pixels + at / channels] = *value;
    }
}

/// The order of an epoch (from 0): a shuffle of its own, or the rows as they lie.
pub fn order(rows: usize, shuffle: bool, seed: u64, epoch: u32) -> Vec<u32> {
    if shuffle {
        random::permutation(random::stream(&[seed, SHUFFLE, epoch as u64]), rows)
    } else {
        (0..rows as u32).collect()
    }
}
