//! Turns graphs into programs: the images come in (`input`), each node that was not fused away is lowered by its layer,
//! the heads' losses are joined, the optimiser's rule is emitted, and the result is held against the limits.

mod input;

use super::emitter::Emitter;
use super::fold::{self, Folded};
use super::fusion::{Fusion, Terms};
use super::placement::{self, Placement};
use super::ports::{self, Ports};
use super::{
    BufferSpec, Clip, Constant, Error, FOLD, Mode, Options, Plan, Port, Program, ROW_WEIGHTS,
    Source, Wanted, head_port, memory, update,
};
use crate::graph::{Graph, Kind, Node, Pass, Place, TensorId};
use crate::network::Model;
use crate::ops::Phase;
use crate::ops::add::{self, Sum, TERMS};
use crate::ops::softmax::{self, Softmax};
use crate::ops::softmax_cross_entropy::METRICS;
use std::collections::HashMap;

/// Compiles the programs. Layers that would be too large as one stay apart.
pub(super) fn compile(model: &Model, wanted: &[Wanted], options: &Options) -> Result<Plan, Error> {
    options.loss.check(model.classes).map_err(Error::Loss)?;
    input::check(model, options)?;
    let Some(joined) = joined(model, wanted, options) else {
        return compiled(model, wanted, options);
    };
    match compiled(&joined, wanted, options) {
        Err(Error::TooLarge { .. }) => compiled(model, wanted, options),
        planned => planned,
    }
}

fn compiled(model: &Model, wanted: &[Wanted], options: &Options) -> Result<Plan, Error> {
    let mut buffers = Vec::new();
    let ports = ports::make(model, wanted, options, &mut buffers);
    let trains = wanted.iter().any(|w| w.mode == Mode::Train);
    let mut constants = Vec::new();
    // Mixtures have weights of their own.
    let by_class = trains && !options.loss.mixed;
    let class_weights = options.loss.class_weights.as_ref().filter(|_| by_class);
    let class_weights =
        class_weights.map(|w| constant("class weights", w.clone(), &mut constants, &mut buffers));
    let statistics = input::statistics(options)
        .map(|values| constant("statistics", values, &mut constants, &mut buffers));
    let placement = placement::place(&model.graph, options, trains, &mut buffers)?;
    let predicts = wanted.iter().any(|w| w.mode == Mode::Predict);
    let folded = predicts.then(|| {
        let graph = model.graph_for(Mode::Predict, &options.loss);
        fold::fold(graph, &model.heads, &mut buffers)
    });
    let mut pool = Vec::new();
    let mut programs: Vec<Program> = Vec::new();
    for (wanted, own) in wanted.iter().zip(&ports.of) {
        let folded = folded.as_ref().filter(|_| wanted.mode == Mode::Predict);
        let graph = match folded {
            Some(folded) => folded.graph.at(wanted.batch),
            None => model.graph_for(wanted.mode, &options.loss).at(wanted.batch),
        };
        let lowering = Lowering {
            model,
            wanted,
            ports: own,
            all: &ports,
            class_weights,
            statistics,
            placement: &placement,
            folded: folded.map_or_else(HashMap::new, |folded| folded.places.clone()),
            options,
        };
        let mut fusion = Fusion::new(&graph, &lowering.logits(), options.concat_in_place);
        if options.schedule.join_products {
            fusion.join_products(&graph, |held| placement.is_one_buffer(held));
        }
        if options.schedule.whole_dense {
            fusion.join_passes(&graph, |held| placement.stored_gradient(held).is_some());
        }
        let mut emitter = lowering.emitter(&graph, &fusion, buffers.len());
        lowering.program(&graph, &fusion, &mut emitter);
        let (mut dispatches, transients) = emitter.finish()?;
        let overlaps = options.schedule.overlaps() && wanted.mode == Mode::Train;
        memory::assign(
            &mut dispatches,
            &transients,
            overlaps,
            &mut buffers,
            &mut pool,
        );
        programs.push(Program {
            name: wanted.name,
            mode: wanted.mode,
            batch: wanted.batch,
            ports: own.clone(),
            dispatches,
        });
    }
    if let Some(folded) = folded.filter(|folded| !folded.is_empty()) {
        programs.push(folding(
            model,
            &folded,
            &ports,
            &placement,
            options,
            buffers.len(),
        )?);
    }
    if trains {
        let batch = wanted.first().map_or(0, |wanted| wanted.batch);
        programs.extend(update::sums(&placement, options, &buffers, batch)?);
    }
    let Placement {
        parameters,
        regions,
        ..
    } = placement;
    let heads = model.heads.iter();
    let plan = Plan {
        model: model.name.clone(),
        classes: model.classes,
        image: model.image_shape(),
        heads: heads.map(|head| (head.name.clone(), head.weight)).collect(),
        target: options.profile.name.clone(),
        schedule: options.schedule,
        rule: options.rule.clone(),
        shards: options.training.shards,
        buffers,
        regions,
        parameters,
        constants,
        programs,
    };
    check_limits(&plan, options)?;
    Ok(plan)
}

/// The network with the layers joined that the schedule wants as one. Not for predictions alone, where normalization is
/// folded into each convolution, nor where a gradient's norm is one tensor's, whose words must lie together.
fn joined(model: &Model, wanted: &[Wanted], options: &Options) -> Option<Model> {
    let (siblings, branches) = (
        options.schedule.join_siblings,
        options.schedule.join_branches,
    );
    let predicts = wanted.iter().all(|w| w.mode == Mode::Predict);
    let by_tensor = matches!(options.training.clip, Some(Clip::Norm(_)));
    if predicts || by_tensor || !(siblings || branches) {
        return None;
    }
    let mut joined = model.clone();
    if siblings {
        joined = joined.with_siblings_joined();
    }
    // After the siblings: a branch that is one of them lies in their tensor, and cannot lie in another.
    if branches && options.concat_in_place {
        joined = joined.with_branches_joined();
    }
    Some(joined)
}

/// A buffer of numbers that nobody writes.
fn constant(
    name: &str,
    values: Vec<f32>,
    constants: &mut Vec<Constant>,
    buffers: &mut Vec<BufferSpec>,
) -> Place {
    buffers.push(BufferSpec {
        name: name.into(),
        bytes: 4 * values.len() as u64,
    });
    let buffer = buffers.len() - 1;
    constants.push(Constant { buffer, values });
    Place::of(buffer)
}

/// The program that folds weights into those of predictions.
fn folding(
    model: &Model,
    folded: &Folded,
    ports: &Ports,
    placement: &Placement,
    options: &Options,
    buffers: usize,
) -> Result<Program, Error> {
    let (name, mode, batch) = (FOLD, Mode::Predict, 1);
    let lowering = Lowering {
        model,
        wanted: &Wanted {
            name,
            mode,
            batch,
            images: Source::Host,
        },
        ports: &[],
        all: ports,
        class_weights: None,
        statistics: None,
        placement,
        folded: HashMap::new(),
        options,
    };
    let fusion = Fusion::default();
    let mut emitter = lowering.emitter(&folded.graph, &fusion, buffers);
    folded.lower(&mut emitter, |emitter, label| {
        emitter.begin(0, label, Phase::Forward);
    });
    let (dispatches, _) = emitter.finish()?;
    Ok(Program {
        name,
        mode,
        batch,
        ports: Vec::new(),
        dispatches,
    })
}

/// One program on its way.
struct Lowering<'a> {
    model: &'a Model,
    wanted: &'a Wanted,
    ports: &'a [Port],
    all: &'a Ports,
    class_weights: Option<Place>,
    statistics: Option<Place>,
    placement: &'a Placement,
    folded: HashMap<TensorId, Place>,
    options: &'a Options,
}

impl<'a> Lowering<'a> {
    fn port(&self, name: &str) -> Option<Place> {
        let port = self.ports.iter().find(|port| port.name == name);
        port.map(|port| Place::of(port.buffer))
    }

    /// The logits that the program shows.
    fn logits(&self) -> Vec<TensorId> {
        let heads = self.model.heads.iter();
        let shown = heads.filter(|head| self.port(&head_port("logits", &head.name)).is_some());
        shown.map(|head| head.logits).collect()
    }

    fn emitter(&self, graph: &'a Graph, fusion: &'a Fusion, fixed: usize) -> Emitter<'a> {
        let mut of = HashMap::new();
        of.extend(self.port("images").map(|place| (self.model.image, place)));
        for head in &self.model.heads {
            let place = self.port(&head_port("logits", &head.name));
            of.extend(place.map(|place| (head.logits, place)));
        }
        let metrics = self.model.heads.iter().filter_map(|head| {
            let place = self.port(&head_port("metrics", &head.name))?;
            Some((head.logits, place))
        });
        Emitter {
            graph,
            fusion,
            placement: self.placement,
            options: self.options,
            mode: self.wanted.mode,
            labels: self.port("labels"),
            targets: self.port("targets"),
            class_weights: self.port(ROW_WEIGHTS).or(self.class_weights),
            metrics: metrics.collect(),
            flag: self.all.flag.map(Place::of),
            finals: finals(graph),
            folded: self.folded.clone(),
            of,
            transients: memory::Transients::behind(fixed),
            dispatches: Vec::new(),
            sums: Vec::new(),
            phase: Phase::Input,
            label: String::new(),
            index: 0,
            failed: None,
        }
    }

    fn program(&self, graph: &Graph, fusion: &Fusion, emitter: &mut Emitter) {
        self.input(emitter);
        let last_loss = graph.nodes.iter().rposition(|n| n.pass == Pass::Loss);
        for (index, node) in graph.nodes.iter().enumerate() {
            if !fusion.skipped.contains(&index) {
                emitter.begin(index, &node.name, phase(graph, node));
                match fusion.sums.get(&index) {
                    Some(terms) => lower_sum(graph, node, terms, emitter),
                    None if fusion.with_next.contains(&index) => {
                        node.layer
                            .lower_both(node, &graph.nodes[index + 1], emitter);
                    }
                    None => node.layer.lower(node, emitter),
                }
            }
            if last_loss == Some(index) {
                let metrics = self.port("metrics").expect("every head has metrics");
                update::penalty(emitter, metrics);
                if self.wanted.mode == Mode::Train {
                    self.join_losses(emitter);
                }
            }
        }
        match self.wanted.mode {
            Mode::Train => update::finish(emitter),
            Mode::Predict => self.probabilities(emitter),
            Mode::Evaluate => {}
        }
    }

    /// Where there are several heads, the sum of their metrics: its flag is up if any is.
    fn join_losses(&self, emitter: &mut Emitter) {
        let metrics = self.model.heads.iter().map(|head| {
            let port = self.port(&head_port("metrics", &head.name));
            port.expect("every head has metrics")
        });
        let metrics: Vec<Place> = metrics.collect();
        let [first, others @ ..] = &metrics[..] else {
            return;
        };
        if others.is_empty() {
            return;
        }
        let flag = Place::of(self.all.flag.expect("a training program"));
        emitter.begin(0, "loss", Phase::Loss);
        let mut sum = *first;
        let mut chunks = others.chunks(TERMS - 1).peekable();
        while let Some(chunk) = chunks.next() {
            let to = match chunks.peek() {
                Some(_) => emitter.transient("metrics partial".into(), METRICS),
                None => flag,
            };
            // What is not read may be any buffer.
            let term = |at: usize| chunk.get(at).copied().unwrap_or(sum);
            let places = [sum, term(0), term(1), term(2), sum, to];
            let params = Sum::flat(METRICS as u32, 1 + chunk.len());
            emitter.push(&add::Add, &params, &places);
            sum = to;
        }
    }

    fn probabilities(&self, emitter: &mut Emitter) {
        let params = Softmax {
            rows: self.wanted.batch,
            classes: self.model.classes,
        };
        let logits = emitter.whole_of(self.model.heads[0].logits);
        let probabilities = self.port("probabilities").expect("a port");
        emitter.begin(0, "probabilities", Phase::Forward);
        emitter.push(&softmax::Forward, &params, &[logits, probabilities]);
    }
}

/// Lowers a sum whose kernel computes its terms: those who make the products know how.
fn lower_sum(graph: &Graph, node: &Node, terms: &Terms, emitter: &mut Emitter) {
    let products: Vec<&Node> = terms.products.iter().map(|&at| &graph.nodes[at]).collect();
    let layer = &products[0].layer;
    layer.lower_sum(node, &products, terms.other, emitter);
}

/// The part of a step that a node belongs to.
fn phase(graph: &Graph, node: &Node) -> Phase {
    let makes = node.outputs.first().map(|&id| graph.tensors[id].kind);
    match (node.pass, makes) {
        (Pass::Loss, _) => Phase::Loss,
        (_, Some(Kind::Gradient { .. })) => Phase::Backward,
        _ => Phase::Forward,
    }
}

/// The last gradient of each held tensor: the one that is complete.
fn finals(graph: &Graph) -> HashMap<TensorId, TensorId> {
    let made = graph.nodes.iter().flat_map(|node| &node.outputs);
    let of_held = made.filter_map(|&id| match graph.tensors[id].kind {
        Kind::Gradient { of } if graph.tensors[of].kind.is_held() => Some((of, id)),
        _ => None,
    });
    of_held.collect()
}

/// Refuses what no window could make fit.
fn check_limits(plan: &Plan, options: &Options) -> Result<(), Error> {
    let limits = &options.profile.limits;
    let refuse = |name: &str, what, needed, allowed| Error::TooLarge {
        tensor: name.into(),
        what,
        needed,
        allowed,
        target: options.profile.name.clone(),
        remedy: "a smaller --batch would fit",
    };
    for buffer in &plan.buffers {
        if buffer.bytes > limits.max_buffer_size {
            return Err(refuse(
                &buffer.name,
                "the buffer",
                buffer.bytes,
                limits.max_buffer_size,
            ));
        }
    }
    for dispatch in plan.programs.iter().flat_map(|p| &p.dispatches) {
        for range in &dispatch.bindings {
            if range.bytes > limits.max_storage_binding {
                return Err(refuse(
                    &dispatch.label,
                    "a binding",
                    range.bytes,
                    limits.max_storage_binding,
                ));
            }
        }
    }
    Ok(())
}
