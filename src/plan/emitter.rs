//! A program under construction: what the layers write through. It resolves tensors to places, applies what
//! `fusion` decided, chooses variants and collects the dispatches.

use super::fusion::{Fusion, Inside};
use super::memory::Transients;
use super::placement::{Placement, Storage};
use super::{Dispatch, Error, Mode, Options, Range, Schedule, shares, update, variants};
use crate::graph::{BufferId, Emit, Graph, Kind, PanelRange, Place, Shares, TensorId, View};
use crate::ops::relu::Planes;
use crate::ops::update::Update;
use crate::ops::{AnyOp, Params, Phase, concat};
use std::collections::HashMap;

pub(super) struct Emitter<'a> {
    /// At the program's batch.
    pub graph: &'a Graph,
    pub fusion: &'a Fusion,
    pub placement: &'a Placement,
    pub options: &'a Options,
    pub mode: Mode,
    pub labels: Option<Place>,
    pub targets: Option<Place>,
    pub class_weights: Option<Place>,
    /// By the head's logits.
    pub metrics: HashMap<TensorId, Place>,
    /// What stops the optimiser.
    pub flag: Option<Place>,
    /// The complete gradient of each held tensor.
    pub finals: HashMap<TensorId, TensorId>,
    /// Where held tensors lie that a program has instead of the network's.
    pub folded: HashMap<TensorId, Place>,
    /// Where each root tensor lies.
    pub of: HashMap<TensorId, Place>,
    pub transients: Transients,
    pub dispatches: Vec<Dispatch>,
    /// What is added up at the end of the backward pass.
    pub sums: Vec<shares::Sum>,
    /// What is being lowered.
    pub phase: Phase,
    pub label: String,
    pub index: usize,
    /// The first thing that cannot run here.
    pub failed: Option<Error>,
}

impl Emitter<'_> {
    /// What follows belongs to that node and layer.
    pub fn begin(&mut self, index: usize, label: &str, phase: Phase) {
        self.index = index;
        self.label = label.into();
        self.phase = phase;
    }

    pub fn finish(self) -> Result<(Vec<Dispatch>, Transients), Error> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok((self.dispatches, self.transients)),
        }
    }

    /// Adds a dispatch; the length of each binding is the op's own word.
    pub fn push<P: Params>(&mut self, op: &'static dyn AnyOp, params: &P, places: &[Place]) {
        self.dispatch_bytes(op, bytemuck::bytes_of(params).to_vec(), places);
    }

    pub fn transient(&mut self, name: String, words: usize) -> Place {
        Place::of(self.transients.add(name, words))
    }

    /// Where a root tensor lies: memory is made on first use.
    fn root(&mut self, root: TensorId) -> Place {
        if let Some(&place) = self.of.get(&root) {
            return place;
        }
        let tensor = &self.graph.tensors[root];
        let place = self.transient(tensor.name.clone(), tensor.shape.len());
        self.of.insert(root, place);
        place
    }

    /// Channels of a root, seen with the pixels of `tensor`: a flattened tensor and the image it
    /// was share a buffer.
    fn channels(&self, root: TensorId, tensor: TensorId) -> u32 {
        let [n, h, w, _] = self.graph.shape(tensor).nhwc();
        (self.graph.shape(root).len() / (n * h * w) as usize) as u32
    }

    /// A range of a root's channels, seen with the pixels of `tensor`.
    fn inside(&mut self, Inside { root, first }: Inside, tensor: TensorId) -> View {
        View {
            place: self.root(root),
            channels: self.channels(root, tensor),
            first,
        }
    }

    /// [`Emit::whole`].
    pub fn whole_of(&mut self, tensor: TensorId) -> Place {
        let place = self.fusion.place(tensor);
        let view = self.inside(place, tensor);
        if self.fusion.is_whole(self.graph, tensor) {
            return view.place;
        }
        let shape = self.graph.shape(tensor);
        let [n, h, w, c] = shape.nhwc();
        let name = format!("{} (copy)", self.graph.tensors[tensor].name);
        let copy = self.transient(name, shape.len());
        let params = Planes {
            a_channels: view.channels,
            a_first: view.first,
            ..Planes::whole(n, c, h * w)
        };
        let label = std::mem::replace(&mut self.label, self.graph.tensors[tensor].name.clone());
        self.push(&concat::Backward, &params, &[view.place, copy]);
        self.label = label;
        copy
    }

    /// The rule's update of `count` words at `at`.
    pub fn push_update(&mut self, at: Place, count: u32, gradient: Place) {
        let places = [&[gradient], &self.updated(at)[..]].concat();
        let op = self.options.rule.update();
        self.push(op, &Update { count }, &places);
    }

    /// Where the values of a region are read: evaluation reads the averages, where there are some.
    pub fn values(&self, region: usize) -> BufferId {
        let region = &self.placement.regions[region];
        match (self.mode, region.average) {
            (Mode::Evaluate, Some(average)) => average,
            _ => region.values,
        }
    }

    /// What an update binds behind the gradient: metrics, weights, slots.
    fn updated(&self, at: Place) -> Vec<Place> {
        let slots = &self.placement.region_of(at.buffer).slots;
        let beside = slots.iter().map(|&buffer| Place { buffer, ..at });
        let flag = self.flag.expect("a training program has a flag");
        [flag, at].into_iter().chain(beside).collect()
    }
}

impl Emit for Emitter<'_> {
    fn schedule(&self) -> &Schedule {
        &self.options.schedule
    }

    fn mode(&self) -> Mode {
        self.mode
    }

    fn graph(&self) -> &Graph {
        self.graph
    }

    fn view(&mut self, tensor: TensorId) -> View {
        let place = self.fusion.place(tensor);
        self.inside(place, tensor)
    }

    fn whole(&mut self, tensor: TensorId) -> Place {
        self.whole_of(tensor)
    }

    /// A port has its place already, and gets a copy.
    fn rename(&mut self, tensor: TensorId, place: Place) {
        let Some(&port) = self.of.get(&tensor) else {
            self.of.insert(tensor, place);
            return;
        };
        let [n, h, w, c] = self.graph.shape(tensor).nhwc();
        let params = Planes::whole(n, c, h * w);
        self.push(&concat::Backward, &params, &[place, port]);
    }

    fn scratch(&mut self, name: String, words: usize) -> Place {
        self.transient(name, words)
    }

    fn held(&self, tensor: TensorId) -> Place {
        if let Some(&place) = self.folded.get(&tensor) {
            return place;
        }
        let (region, offset) = self.placement.storage(tensor).pieces()[0];
        Place {
            buffer: self.values(region),
            offset,
        }
    }

    fn panels(&self, tensor: TensorId) -> Vec<PanelRange> {
        let Storage::Panels { windows, .. } = self.placement.storage(tensor) else {
            let name = &self.graph.tensors[tensor].name;
            unreachable!("{name} was declared in panels")
        };
        let range = |w: &super::PanelWindow| PanelRange {
            place: Place {
                buffer: self.values(w.region),
                offset: w.offset,
            },
            first_panel: w.first_panel,
            panels: w.panels,
        };
        windows.iter().map(range).collect()
    }

    fn gradient(&mut self, gradient: TensorId) -> Option<(Place, usize)> {
        let held = match self.graph.tensors[gradient].kind {
            Kind::Gradient { of } => of,
            kind => unreachable!("a gradient, not {kind:?}"),
        };
        let stored = self.placement.stored_gradient(held);
        match stored {
            Some(stored) if self.finals[&held] == gradient => Some(stored),
            Some((_, words)) => {
                let place = match self.of.get(&gradient) {
                    Some(&place) => place,
                    None => self.transient(self.graph.tensors[gradient].name.clone(), words),
                };
                self.of.insert(gradient, place);
                Some((place, words))
            }
            None => None,
        }
    }

    fn statistic(&mut self, own: TensorId) -> Place {
        let stored = self.placement.stored_gradient(own);
        stored.expect("a moving statistic that trains").0
    }

    fn zeros(&mut self, words: usize) -> Place {
        Place::of(self.transients.zeros(words))
    }

    fn update_in_gradient(&self, window: &PanelRange) -> Option<(&'static dyn AnyOp, Vec<Place>)> {
        let run = self.placement.run_of(
            self.placement.region_number(window.place.buffer),
            window.place.offset,
        );
        if !self.options.schedule.fuse_update || !self.options.training.is_plain(&run.treatment) {
            return None;
        }
        let op = self.options.rule.in_weight_gradient()?;
        Some((op, self.updated(window.place)))
    }

    fn window_gradient(&self, window: &PanelRange) -> Option<Place> {
        let Place { buffer, offset } = window.place;
        let buffer = self.placement.region_of(buffer).gradient?;
        Some(Place { buffer, offset })
    }

    fn update(&mut self, at: Place, count: u32, gradient: Place) {
        let number = self.placement.region_number(at.buffer);
        let treatment = self.placement.run_of(number, at.offset).treatment;
        update::add_l2(self, at, count, gradient, treatment);
        update::clip_by_value(self, count, gradient);
        update::decay(self, at, count, treatment);
        self.push_update(at, count, gradient);
    }

    fn relu(&self) -> bool {
        self.fusion.relu.contains(&self.index)
    }

    fn mask(&mut self) -> Option<View> {
        let &inside = self.fusion.mask.get(&self.index)?;
        let output = self.graph.nodes[self.index].outputs[0];
        Some(self.inside(inside, output))
    }

    fn labels(&self) -> Place {
        self.labels.expect("a program with a loss has labels")
    }

    fn targets(&self) -> Place {
        self.targets
            .expect("a program with a soft loss has targets")
    }

    fn class_weights(&self) -> Place {
        self.class_weights.expect("a plan with class weights")
    }

    fn metrics(&self, logits: TensorId) -> Place {
        self.metrics[&logits]
    }

    fn sum_later(&mut self, shares: Shares, gradients: &[TensorId]) -> bool {
        shares::collect(self, shares, gradients)
    }

    fn dispatch_bytes(&mut self, op: &'static dyn AnyOp, params: Vec<u8>, places: &[Place]) {
        let variant = match variants::choose(op, &params, self.mode, self.options) {
            Ok(variant) => variant,
            Err(error) => {
                self.failed.get_or_insert(error);
                return;
            }
        };
        let lengths = op.lengths(&params);
        assert_eq!(lengths.len(), places.len(), "{}: bindings", op.name());
        let range = |(place, words): (&Place, usize)| Range {
            buffer: place.buffer,
            offset: place.offset,
            bytes: 4 * words as u64,
        };
        let bindings = places.iter().zip(lengths).map(range).collect();
        self.dispatches.push(Dispatch {
            op,
            variant,
            label: self.label.clone(),
            phase: self.phase,
            params,
            bindings,
        });
    }
}
