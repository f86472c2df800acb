//! Where the held tensors lie: small weights side by side in one region, so that one dispatch updates them
//! all; large dense kernels in regions of their own, as panels, cut into windows that fit the adapter's
//! limits; moving statistics in one region and what stays as it is in another, both without slots.
//!
//! Inside the first region tensors lie together that a step treats alike ([`Run`]).

use super::{BufferId, BufferSpec, Decay, Error, Options, Parameter, Region};
use crate::graph::{Graph, Kind, Layout, Own, Place, Tensor, TensorId};
use crate::ops::matmul::PANEL;
use std::collections::{HashMap, HashSet};

/// Panels up to this size share a region.
const SHARED_LIMIT: u64 = 1 << 20;

/// Offsets of bindings are multiples of this on every adapter.
pub(super) const ALIGNMENT: u64 = 256;

/// How a held tensor is stored.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Keras's own order, at one offset of a region.
    Flat { region: usize, offset: u64 },
    /// Side by side with others along the last axis.
    Columns(ColumnRange),
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
    pub region: usize,
    pub offset: u64,
    pub first_panel: u32,
    pub panels: u32,
}

/// The columns from `first` on of a matrix of `columns` columns, which lies at one offset of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnRange {
    pub region: usize,
    pub offset: u64,
    pub first: u32,
    pub columns: u32,
}

impl Storage {
    /// (region, offset) of each piece.
    pub fn pieces(&self) -> Vec<(usize, u64)> {
        match self {
            Storage::Flat { region, offset } => vec![(*region, *offset)],
            Storage::Columns(range) => vec![(range.region, range.offset)],
            Storage::Panels { windows, .. } => {
                windows.iter().map(|w| (w.region, w.offset)).collect()
            }
        }
    }

    /// Words that it takes, where it is one piece.
    pub(super) fn words(&self, elements: usize) -> usize {
        match self {
            Storage::Flat { .. } => elements,
            Storage::Columns(_) => unreachable!("what trains is the whole matrix"),
            Storage::Panels { k, windows, .. } => {
                windows[0].panels as usize * *k as usize * PANEL as usize
            }
        }
    }
}

/// The held tensors of a graph with their buffers.
pub(super) struct Placement {
    /// As the network has them.
    pub parameters: Vec<Parameter>,
    /// As the graph has them, where several may lie in one.
    of: HashMap<TensorId, Placed>,
    pub regions: Vec<Region>,
    /// What each step treats alike, region by region.
    pub runs: Vec<Run>,
}

/// A held tensor of the graph.
struct Placed {
    storage: Storage,
    elements: usize,
}

/// Words of a region, one behind the other, that each step treats alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub region: usize,
    pub offset: u64,
    pub words: u32,
    pub treatment: Treatment,
}

/// What a step does with a tensor beside the rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Treatment {
    /// The optimiser's: with that factor of L2, and with decay or without.
    Trained { l2: f32, decayed: bool },
    /// Moved towards the batch's, keeping that share.
    Averaged { momentum: f32 },
    /// Stays as it is.
    Fixed,
}

/// The region of the small weights.
pub(super) const SHARED: usize = 0;

/// Places every held tensor, appending their buffers to `buffers`; with slots and gradients where `trains`.
pub(super) fn place(
    graph: &Graph,
    options: &Options,
    trains: bool,
    buffers: &mut Vec<BufferSpec>,
) -> Result<Placement, Error> {
    let mut placing = Placing {
        graph,
        options,
        slots: if trains { options.rule.slots() } else { &[] },
        buffers,
        regions: Vec::new(),
        runs: Vec::new(),
        fixed: None,
        state: None,
    };
    placing.region("parameters", 0, true);
    let mut of = HashMap::new();
    for id in placing.order() {
        let held = graph.tensors[id].held.expect("held tensors say how");
        let storage = match held.layout {
            Layout::Flat => placing.flat(id),
            Layout::Panels => placing.panels(id)?,
        };
        let elements = graph.shape(id).len();
        of.insert(id, Placed { storage, elements });
    }
    if trains {
        placing.gradients();
    }
    let Placing { regions, runs, .. } = placing;
    Ok(Placement {
        parameters: parameters(graph, &of),
        of,
        regions,
        runs,
    })
}

/// The parameters of the network: what it was before tensors were put together.
fn parameters(graph: &Graph, of: &HashMap<TensorId, Placed>) -> Vec<Parameter> {
    let put_together = |tensor: &Tensor| match tensor.kind {
        Kind::Columns { of, .. } => Some(of),
        _ => None,
    };
    let wholes: HashSet<TensorId> = graph.tensors.iter().filter_map(put_together).collect();
    let parameter = |(id, tensor): (TensorId, &Tensor)| {
        let (kind, storage) = match tensor.kind {
            Kind::Columns { of: whole, first } => {
                let (region, offset) = of[&whole].storage.pieces()[0];
                let range = ColumnRange {
                    region,
                    offset,
                    first,
                    columns: graph.shape(whole).columns(),
                };
                (graph.tensors[whole].kind, Storage::Columns(range))
            }
            kind if kind.is_held() && !wholes.contains(&id) => (kind, of[&id].storage.clone()),
            _ => return None,
        };
        Some(Parameter {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            kind,
            init: tensor.held.expect("held tensors say how").init,
            storage,
        })
    };
    graph
        .tensors
        .iter()
        .enumerate()
        .filter_map(parameter)
        .collect()
}

impl Placement {
    /// How a held tensor of the graph is stored.
    pub fn storage(&self, held: TensorId) -> &Storage {
        &self.of[&held].storage
    }

    /// Do these held tensors lie in one buffer?
    pub fn is_one_buffer(&self, held: &[TensorId]) -> bool {
        let region = |&tensor: &TensorId| self.storage(tensor).pieces()[0].0;
        held.windows(2)
            .all(|pair| region(&pair[0]) == region(&pair[1]))
    }

    /// Where the gradient of a held tensor is stored, and its words: that of what lies in one piece in a region
    /// with gradients.
    pub fn stored_gradient(&self, held: TensorId) -> Option<(Place, usize)> {
        let Placed { storage, elements } = &self.of[&held];
        let [(region, offset)] = storage.pieces()[..] else {
            return None;
        };
        let buffer = self.regions[region].gradient?;
        let words = storage.words(*elements);
        Some((Place { buffer, offset }, words))
    }

    /// The run that a weight of a region belongs to.
    pub fn run_of(&self, region: usize, offset: u64) -> &Run {
        let holds = |run: &&Run| {
            let end = run.offset + 4 * run.words as u64;
            run.region == region && (run.offset..end).contains(&offset)
        };
        self.runs.iter().find(holds).expect("all lie in runs")
    }

    /// The region whose values lie in a buffer.
    pub fn region_of(&self, values: BufferId) -> &Region {
        &self.regions[self.region_number(values)]
    }

    /// Its number.
    pub fn region_number(&self, values: BufferId) -> usize {
        let of = |region: &Region| region.values == values || region.average == Some(values);
        self.regions
            .iter()
            .position(of)
            .expect("a buffer of weights")
    }
}

/// Words that so many bytes take in a region.
fn padded_words(bytes: u64) -> u32 {
    (bytes.next_multiple_of(ALIGNMENT) / 4) as u32
}

struct Placing<'a> {
    graph: &'a Graph,
    options: &'a Options,
    slots: &'static [&'static str],
    buffers: &'a mut Vec<BufferSpec>,
    regions: Vec<Region>,
    runs: Vec<Run>,
    /// The regions of what stays as it is and of moving statistics, made on first use.
    fixed: Option<usize>,
    state: Option<usize>,
}

impl Placing<'_> {
    /// The held tensors, those of one treatment together, in the order of their layers otherwise.
    fn order(&self) -> Vec<TensorId> {
        let mut groups: Vec<(Treatment, Vec<TensorId>)> = Vec::new();
        for id in self.graph.held() {
            let treatment = self.treatment(id);
            match groups.iter_mut().find(|(of, _)| *of == treatment) {
                Some((_, group)) => group.push(id),
                None => groups.push((treatment, vec![id])),
            }
        }
        groups.into_iter().flat_map(|(_, group)| group).collect()
    }

    fn treatment(&self, held: TensorId) -> Treatment {
        let tensor = &self.graph.tensors[held];
        let own = tensor.held.expect("held tensors say how").own;
        match (tensor.kind, own) {
            (Kind::Weight, Own::Kernel { l2 }) => Treatment::Trained {
                l2,
                decayed: self.options.training.decay != Decay::None,
            },
            (Kind::Weight, _) => Treatment::Trained {
                l2: 0.0,
                decayed: self.options.training.decay == Decay::All,
            },
            (Kind::State, Own::State { momentum }) => Treatment::Averaged { momentum },
            _ => Treatment::Fixed,
        }
    }

    /// Adds the words of a small tensor to the runs.
    fn run(&mut self, region: usize, offset: u64, bytes: u64, treatment: Treatment) {
        let words = padded_words(bytes);
        match self.runs.last_mut() {
            Some(last)
                if last.region == region
                    && last.treatment == treatment
                    && last.offset + 4 * last.words as u64 == offset =>
            {
                last.words += words;
            }
            _ => self.runs.push(Run {
                region,
                offset,
                words,
                treatment,
            }),
        }
    }

    /// Gives gradients (of statistics: what the batch says) to the regions that keep them over the step.
    fn gradients(&mut self) {
        let whole = self.options.training.whole_gradients();
        for at in 0..self.regions.len() {
            let updated = Some(at) == self.state || (self.fixed != Some(at) && whole);
            if at == SHARED || updated {
                self.regions[at].gradient = Some(self.beside(at, "gradient"));
                let levels = self.options.training.shards.ilog2();
                let partials =
                    (0..levels).map(|level| self.beside(at, &format!("partial {level}")));
                self.regions[at].partials = partials.collect();
            }
            if self.options.training.average && Some(at) != self.fixed {
                self.regions[at].average = Some(self.beside(at, "average"));
            }
        }
    }

    /// A new buffer, as large as the values of a region.
    fn beside(&mut self, region: usize, what: &str) -> BufferId {
        let region = &self.regions[region];
        self.buffers.push(BufferSpec {
            name: format!("{} {what}", region.name),
            bytes: self.buffers[region.values].bytes,
        });
        self.buffers.len() - 1
    }

    /// A new region, with slots where it is updated.
    fn region(&mut self, name: &str, bytes: u64, updated: bool) -> usize {
        let buffers = &mut self.buffers;
        let mut buffer = |what: &str| {
            buffers.push(BufferSpec {
                name: format!("{name} {what}"),
                bytes,
            });
            buffers.len() - 1
        };
        let values = buffer("weights");
        let slots = if updated { self.slots } else { &[] };
        let slots = slots.iter().map(|slot| buffer(slot)).collect();
        self.regions.push(Region {
            name: name.into(),
            values,
            slots,
            gradient: None,
            average: None,
            partials: Vec::new(),
        });
        self.regions.len() - 1
    }

    /// Takes the next aligned bytes of a region.
    fn reserve(&mut self, region: usize, bytes: u64) -> u64 {
        let Region { values, slots, .. } = &self.regions[region];
        let offset = self.buffers[*values].bytes;
        for &buffer in slots.iter().chain([values]) {
            self.buffers[buffer].bytes = offset + bytes.next_multiple_of(ALIGNMENT);
        }
        offset
    }

    /// The region where a small tensor lies.
    fn shared(&mut self, held: TensorId) -> usize {
        let (known, name) = match self.graph.tensors[held].kind {
            Kind::Weight => return SHARED,
            Kind::State => (self.state, "state"),
            _ => (self.fixed, "fixed"),
        };
        if let Some(region) = known {
            return region;
        }
        let region = self.region(name, 0, false);
        match self.graph.tensors[held].kind {
            Kind::State => self.state = Some(region),
            _ => self.fixed = Some(region),
        }
        region
    }

    /// The next place of a small tensor of so many bytes.
    fn small(&mut self, held: TensorId, bytes: u64) -> (usize, u64) {
        let region = self.shared(held);
        let offset = self.reserve(region, bytes);
        self.run(region, offset, bytes, self.treatment(held));
        (region, offset)
    }

    fn flat(&mut self, held: TensorId) -> Storage {
        let bytes = 4 * self.graph.shape(held).len() as u64;
        let (region, offset) = self.small(held, bytes);
        Storage::Flat { region, offset }
    }

    fn panels(&mut self, held: TensorId) -> Result<Storage, Error> {
        let tensor = &self.graph.tensors[held];
        let (k, n) = (tensor.shape.0[0], tensor.shape.0[1]);
        let mut users = self.graph.users(held);
        let input = users.next().expect("a layer that owns it").inputs[0];
        // The gradients of layers that share a kernel are stored, to be added.
        let is_shared = users.next().is_some();
        let pixels = self.graph.flattened_pixels(input);
        let count = n.div_ceil(PANEL);
        let bytes = 4 * k as u64 * PANEL as u64 * count as u64;
        let windows = if bytes <= SHARED_LIMIT || is_shared {
            let (region, offset) = self.small(held, bytes);
            vec![PanelWindow {
                region,
                offset,
                first_panel: 0,
                panels: count,
            }]
        } else {
            self.windows(held, k, count)?
        };
        Ok(Storage::Panels {
            k,
            n,
            pixels,
            windows,
        })
    }

    /// Regions of its own for a kernel of `count` panels of `k` rows.
    fn windows(&mut self, held: TensorId, k: u32, count: u32) -> Result<Vec<PanelWindow>, Error> {
        let tensor = &self.graph.tensors[held];
        let (name, updated) = (tensor.name.clone(), tensor.kind == Kind::Weight);
        let treatment = self.treatment(held);
        let panel_bytes = 4 * k as u64 * PANEL as u64;
        let limits = &self.options.profile.limits;
        // An odd k makes panels of half an alignment unit: count them in pairs.
        let unit = if panel_bytes.is_multiple_of(ALIGNMENT) {
            1
        } else {
            2
        };
        let per = |allowed: u64| (allowed / panel_bytes / unit * unit).min(count as u64) as u32;
        let per_window = per(limits.max_storage_binding);
        let per_buffer = per(limits.max_buffer_size);
        if per_window == 0 || per_buffer == 0 {
            return Err(Error::TooLarge {
                tensor: name,
                what: "one panel of 32 columns",
                needed: panel_bytes * unit,
                allowed: limits.max_storage_binding.min(limits.max_buffer_size),
                target: self.options.profile.name.clone(),
                remedy: "a smaller image or fewer inputs would fit",
            });
        }
        let mut windows = Vec::new();
        for first in (0..count).step_by(per_buffer as usize) {
            let held = per_buffer.min(count - first);
            let part = if held == count {
                name.clone()
            } else {
                format!("{name}[{}]", first / per_buffer)
            };
            let region = self.region(&part, panel_bytes * held as u64, updated);
            for start in (0..held).step_by(per_window as usize) {
                let panels = per_window.min(held - start);
                self.runs.push(Run {
                    region,
                    offset: panel_bytes * start as u64,
                    words: padded_words(panel_bytes * panels as u64),
                    treatment,
                });
                windows.push(PanelWindow {
                    region,
                    offset: panel_bytes * start as u64,
                    first_panel: first + start,
                    panels,
                });
            }
        }
        Ok(windows)
    }
}
