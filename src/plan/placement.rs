//! Where the parameters lie: small ones side by side in one arena, so that one dispatch updates
//! them all; large dense kernels in panels, cut into windows that fit the adapter's limits.

use super::{BufferId, BufferSpec, Error, Options, Parameter};
use crate::graph::{Graph, Op, TensorId};
use crate::ops::matmul::PANEL;
use std::collections::{BTreeSet, HashMap};

/// Parameters up to this size share the arena.
const ARENA_LIMIT: u64 = 1 << 20;

/// Offsets of bindings are multiples of this on every adapter.
const ALIGNMENT: u64 = 256;

/// How a parameter is stored. `buffers` hold the weights, first and second moments.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Keras's own order, at one offset of three buffers.
    Flat { buffers: [BufferId; 3], offset: u64 },
    /// Panels of 32 columns of a (k, n) kernel whose rows were flattened from `pixels` pixels.
    Panels {
        k: u32,
        n: u32,
        pixels: u32,
        windows: Vec<PanelWindow>,
    },
}

/// Consecutive panels that one binding can cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelWindow {
    pub buffers: [BufferId; 3],
    pub offset: u64,
    pub first_panel: u32,
    pub panels: u32,
}

impl Storage {
    /// Do its weights begin there?
    pub fn begins_at(&self, buffer: BufferId, offset: u64) -> bool {
        match self {
            Storage::Flat {
                buffers,
                offset: own,
            } => buffers[0] == buffer && *own == offset,
            Storage::Panels { windows, .. } => windows
                .iter()
                .any(|w| w.buffers[0] == buffer && w.offset == offset),
        }
    }

    /// Every buffer that holds a part of the weights or moments.
    pub fn buffers(&self) -> BTreeSet<BufferId> {
        match self {
            Storage::Flat { buffers, .. } => buffers.iter().copied().collect(),
            Storage::Panels { windows, .. } => windows.iter().flat_map(|w| w.buffers).collect(),
        }
    }

    /// Every buffer that holds a part of the weights.
    pub fn weights(&self) -> BTreeSet<BufferId> {
        match self {
            Storage::Flat { buffers, .. } => BTreeSet::from([buffers[0]]),
            Storage::Panels { windows, .. } => windows.iter().map(|w| w.buffers[0]).collect(),
        }
    }

    /// Is it updated by the one dispatch over the arena?
    pub fn in_arena(&self, arena: [BufferId; 3]) -> bool {
        match self {
            Storage::Flat { buffers, .. } => *buffers == arena,
            Storage::Panels { windows, .. } => windows[0].buffers == arena,
        }
    }
}

/// The parameters of a graph with their buffers.
pub(super) struct Placement {
    pub parameters: Vec<Parameter>,
    /// Index into `parameters`.
    pub of: HashMap<TensorId, usize>,
    pub arena: [BufferId; 3],
    /// Bytes of each arena buffer.
    pub arena_bytes: u64,
}

/// Places every parameter, appending their buffers to `buffers`.
pub(super) fn place(
    graph: &Graph,
    options: &Options,
    buffers: &mut Vec<BufferSpec>,
) -> Result<Placement, Error> {
    let arena = three(buffers, "parameters", 0);
    let mut placement = Placement {
        parameters: Vec::new(),
        of: HashMap::new(),
        arena,
        arena_bytes: 0,
    };
    for id in graph.parameters() {
        let tensor = &graph.tensors[id];
        let user = graph.consumers(id).next().map(|node| &graph.nodes[node]);
        let dense = user.is_some_and(|node| node.op == Op::Dense && node.inputs[1] == id);
        let storage = if dense {
            let pixels = flattened_pixels(graph, user.expect("a dense node").inputs[0]);
            panels(
                &tensor.name,
                &tensor.shape.0,
                pixels,
                &mut placement,
                options,
                buffers,
            )?
        } else {
            let offset = placement.reserve(4 * tensor.shape.len() as u64);
            Storage::Flat {
                buffers: arena,
                offset,
            }
        };
        placement.of.insert(id, placement.parameters.len());
        placement.parameters.push(Parameter {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            storage,
        });
    }
    for id in arena {
        buffers[id].bytes = placement.arena_bytes;
    }
    Ok(placement)
}

impl Placement {
    /// Takes the next aligned bytes of the arena.
    fn reserve(&mut self, bytes: u64) -> u64 {
        let offset = self.arena_bytes;
        self.arena_bytes += bytes.next_multiple_of(ALIGNMENT);
        offset
    }
}

/// One buffer each for weights and both moments.
fn three(buffers: &mut Vec<BufferSpec>, name: &str, bytes: u64) -> [BufferId; 3] {
    ["weights", "moment1", "moment2"].map(|role| {
        buffers.push(BufferSpec {
            name: format!("{name} {role}"),
            bytes,
        });
        buffers.len() - 1
    })
}

/// Pixels of the image that a dense layer's input was flattened from; 1 if it was none.
fn flattened_pixels(graph: &Graph, input: TensorId) -> u32 {
    let producer = graph.producer(input).map(|node| &graph.nodes[node]);
    match producer {
        Some(node) if node.op == Op::Flatten => {
            let [_, h, w, _] = graph.shape(node.inputs[0]).nhwc();
            h * w
        }
        _ => 1,
    }
}

fn panels(
    name: &str,
    shape: &[u32],
    pixels: u32,
    placement: &mut Placement,
    options: &Options,
    buffers: &mut Vec<BufferSpec>,
) -> Result<Storage, Error> {
    let (k, n) = (shape[0], shape[1]);
    let count = n.div_ceil(PANEL);
    let panel_bytes = 4 * k as u64 * PANEL as u64;
    let bytes = panel_bytes * count as u64;
    if bytes <= ARENA_LIMIT {
        let offset = placement.reserve(bytes);
        let windows = vec![PanelWindow {
            buffers: placement.arena,
            offset,
            first_panel: 0,
            panels: count,
        }];
        return Ok(Storage::Panels {
            k,
            n,
            pixels,
            windows,
        });
    }
    let limits = &options.profile.limits;
    // An odd k makes panels of half an alignment unit: count them in pairs.
    let unit = if panel_bytes.is_multiple_of(ALIGNMENT) {
        1
    } else {
        2
    };
    let per = |allowed: u64| (allowed / panel_bytes / unit * unit).min(count as u64) as u32;
    let (per_window, per_buffer) = (per(limits.max_storage_binding), per(limits.max_buffer_size));
    if per_window == 0 || per_buffer == 0 {
        return Err(Error::TooLarge {
            tensor: name.into(),
            what: "one panel of 32 columns",
            needed: panel_bytes * unit,
            allowed: limits.max_storage_binding.min(limits.max_buffer_size),
            target: options.profile.name.clone(),
            remedy: "a smaller image or fewer inputs would fit",
        });
    }
    let mut windows = Vec::new();
    for first in (0..count).step_by(per_buffer as usize) {
        let held = per_buffer.min(count - first);
        let part = if held == count {
            name.to_string()
        } else {
            format!("{name}[{}]", first / per_buffer)
        };
        let buffers = three(buffers, &part, panel_bytes * held as u64);
        for start in (0..held).step_by(per_window as usize) {
            windows.push(PanelWindow {
                buffers,
                offset: panel_bytes * start as u64,
                first_panel: first + start,
                panels: per_window.min(held - start),
            });
        }
    }
    Ok(Storage::Panels {
        k,
        n,
        pixels,
        windows,
    })
}
