//! The buffers through which host and programs meet. Programs of one batch share them.

use super::{
    AUGMENTATIONS, BufferId, BufferSpec, Mode, Options, Port, ROW_WEIGHTS, Source, Wanted,
    head_port,
};
use crate::network::Model;
use crate::ops::Dtype;
use crate::ops::augment::RECORD;
use crate::ops::softmax_cross_entropy::METRICS;
use crate::tensor::Shape;

/// The ports of each program, and the buffer that holds what all heads' losses together say: where its third
/// word is not zero, no weight changes.
pub(super) struct Ports {
    pub of: Vec<Vec<Port>>,
    pub flag: Option<BufferId>,
}

/// Makes the ports of all programs, appending their buffers.
pub(super) fn make(
    model: &Model,
    wanted: &[Wanted],
    options: &Options,
    buffers: &mut Vec<BufferSpec>,
) -> Ports {
    let mut making = Making { options, buffers };
    let mut of: Vec<Vec<Port>> = wanted.iter().map(|w| making.program(model, w)).collect();
    for (wanted, ports) in wanted.iter().zip(&mut of) {
        if let Source::Device { set, rows, .. } = wanted.images {
            let pixels: u32 = model.image_shape().iter().product();
            let shape = Shape::new([rows, pixels.div_ceil(4)]);
            let buffer = making.buffer(set, set, shape.len());
            ports.push(Port {
                name: "data".into(),
                buffer,
                shape,
                dtype: Dtype::U32,
            });
        }
    }
    let trains = wanted.iter().position(|w| w.mode == Mode::Train);
    let flag = trains.map(|at| match model.heads.len() {
        1 => {
            let metrics = of[at].iter().find(|port| port.name == "metrics");
            metrics.expect("a training program has metrics").buffer
        }
        _ => making.buffer("all metrics", "all metrics", METRICS),
    });
    Ports { of, flag }
}

struct Making<'a> {
    options: &'a Options,
    buffers: &'a mut Vec<BufferSpec>,
}

impl Making<'_> {
    /// A buffer of that name and size: one that is there, or a new one, which is called `other` where the name
    /// is taken.
    fn buffer(&mut self, name: &str, other: &str, words: usize) -> BufferId {
        let bytes = 4 * words as u64;
        let same = |b: &BufferSpec| (b.name == name || b.name == other) && b.bytes == bytes;
        if let Some(at) = self.buffers.iter().position(same) {
            return at;
        }
        let taken = self.buffers.iter().any(|b| b.name == name);
        let name = if taken { other } else { name }.to_string();
        self.buffers.push(BufferSpec { name, bytes });
        self.buffers.len() - 1
    }

    fn program(&mut self, model: &Model, wanted: &Wanted) -> Vec<Port> {
        let n = wanted.batch;
        let [h, w, c] = model.image_shape();
        let Options { loss, training, .. } = self.options;
        let trains = wanted.mode == Mode::Train;
        let mut ports = Vec::new();
        let mut port = |name: String, shape: Shape, dtype| {
            let buffer = self.buffer(&name, &format!("{name}@{n}"), shape.len());
            ports.push(Port {
                name,
                buffer,
                shape,
                dtype,
            });
        };
        if wanted.images != Source::Host {
            port("rows".into(), Shape::new([n]), Dtype::U32);
        }
        if wanted.mode != Mode::Predict {
            port("labels".into(), Shape::new([n]), Dtype::U32);
        }
        if wanted.mode != Mode::Predict && loss.is_soft(wanted.mode) {
            let shape = Shape::new([n, model.classes]);
            port("targets".into(), shape, Dtype::F32);
        }
        if trains && loss.mixed && loss.class_weights.is_some() {
            port(ROW_WEIGHTS.into(), Shape::new([n]), Dtype::F32);
        }
        if trains && training.augment.is_some() {
            let shape = Shape::new([n, RECORD as u32]);
            port(AUGMENTATIONS.into(), shape, Dtype::F32);
        }
        port("images".into(), Shape::new([n, c, h, w]), Dtype::F32);
        let heads = match wanted.mode {
            Mode::Predict => &model.heads[..1],
            _ => &model.heads[..],
        };
        for head in heads {
            if wanted.mode != Mode::Predict {
                let shape = Shape::new([METRICS as u32]);
                port(head_port("metrics", &head.name), shape, Dtype::F32);
            }
            let shape = Shape::new([n, model.classes]);
            port(head_port("logits", &head.name), shape, Dtype::F32);
        }
        if wanted.mode == Mode::Predict {
            let shape = Shape::new([n, model.classes]);
            port("probabilities".into(), shape, Dtype::F32);
        }
        ports
    }
}
