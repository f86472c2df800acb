//! Layered layout of a directed graph: boxes and edges in, places and routes out (Sugiyama, Tagawa and Toda
//! 1981). It knows nothing of networks.
//!
//! `rank` gives each node its layer; edges that pass layers get a dummy node in each; `order` sorts the layers
//! so that few edges cross; `place` gives everything its x, chains straight and branches symmetric; here layers
//! become heights and chains of dummies become routes.

mod order;
mod place;
mod rank;

/// What is to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub width: f64,
    pub height: f64,
    pub pin: Pin,
}

/// Where a node must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    Free,
    /// In the first layer, alone with others of its kind.
    First,
    /// In the last one.
    Last,
}

/// An edge that leads down.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// Where it leaves, right of the middle of `from`.
    pub leaves: f64,
    /// Where it enters, right of the middle of `to`; those without a place share out the top among them.
    pub enters: Option<f64>,
}

/// The least room between things.
#[derive(Clone, Copy, Debug)]
pub struct Gaps {
    /// Between neighbours of a layer.
    pub beside: f64,
    /// Between layers; more where edges lead far to the side.
    pub below: f64,
    /// Between the places where edges enter one node.
    pub ports: f64,
}

/// A vertical stretch of a route; from one's end to the next one's begin leads a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub x: f64,
    pub top: f64,
    pub bottom: f64,
}

/// Where everything lies; the left upper corner is at 0, 0.
#[derive(Clone, Debug)]
pub struct Layout {
    pub width: f64,
    pub height: f64,
    /// The middle of each node's top.
    pub tops: Vec<[f64; 2]>,
    /// Of each edge, from top to bottom.
    pub routes: Vec<Vec<Stretch>>,
}

/// A node, or the dummy of an edge in a layer that it passes.
struct Vertex {
    width: f64,
    is_dummy: bool,
}

/// The part of an edge from a layer to the next.
#[derive(Clone, Copy)]
struct Segment {
    from: usize,
    to: usize,
    leaves: f64,
    enters: f64,
}

/// The graph with edges cut into segments: vertices are the nodes, then the dummies.
struct Layered {
    vertices: Vec<Vertex>,
    /// Vertices from left to right.
    layers: Vec<Vec<usize>>,
    segments: Vec<Segment>,
    /// The segments of each edge, from top to bottom.
    chains: Vec<Vec<usize>>,
}

/// A passing edge keeps this much room around it.
const DUMMY: f64 = 12.0;

/// Places nodes and edges.
///
/// # Panics
/// If the edges have a circle.
pub fn layout(nodes: &[Node], edges: &[Edge], gaps: &Gaps) -> Layout {
    let ranks = rank::ranks(nodes, edges);
    let mut layered = Layered::new(nodes, edges, &ranks);
    order::order(&mut layered);
    layered.share_out_ports(edges, gaps.ports);
    let x = place::place(&layered, gaps.beside);
    layered.finish(nodes, &ranks, x, gaps)
}

impl Layered {
    fn new(nodes: &[Node], edges: &[Edge], ranks: &[usize]) -> Layered {
        let real = |node: &Node| Vertex {
            width: node.width,
            is_dummy: false,
        };
        let mut vertices: Vec<Vertex> = nodes.iter().map(real).collect();
        let mut layers = vec![Vec::new(); ranks.iter().map(|rank| rank + 1).max().unwrap_or(0)];
        for (node, &rank) in ranks.iter().enumerate() {
            layers[rank].push(node);
        }
        let mut segments = Vec::new();
        let mut chains = Vec::new();
        for edge in edges {
            let mut chain = Vec::new();
            let mut from = edge.from;
            for (rank, layer) in layers.iter_mut().enumerate().take(ranks[edge.to] + 1) {
                if rank <= ranks[edge.from] {
                    continue;
                }
                let last = rank == ranks[edge.to];
                let to = if last { edge.to } else { vertices.len() };
                if !last {
                    vertices.push(Vertex {
                        width: DUMMY,
                        is_dummy: true,
                    });
                    layer.push(to);
                }
                chain.push(segments.len());
                segments.push(Segment {
                    from,
                    to,
                    leaves: if from == edge.from { edge.leaves } else { 0.0 },
                    enters: edge.enters.filter(|_| last).unwrap_or(0.0),
                });
                from = to;
            }
            chains.push(chain);
        }
        Layered {
            vertices,
            layers,
            segments,
            chains,
        }
    }

    /// The place of each vertex in its layer.
    fn positions(&self) -> Vec<usize> {
        let mut positions = vec![0; self.vertices.len()];
        for layer in &self.layers {
            for (position, &vertex) in layer.iter().enumerate() {
                positions[vertex] = position;
            }
        }
        positions
    }

    /// Edges that enter a node where it likes do so side by side, in the order in which they come.
    fn share_out_ports(&mut self, edges: &[Edge], gap: f64) {
        let positions = self.positions();
        let free = |edge: usize| edges[edge].enters.is_none();
        for node in 0..self.vertices.len() {
            let enter = (0..edges.len()).filter(|&edge| free(edge) && edges[edge].to == node);
            let mut last: Vec<usize> = enter
                .filter_map(|edge| self.chains[edge].last().copied())
                .collect();
            last.sort_by_key(|&segment| positions[self.segments[segment].from]);
            let width = self.vertices[node].width;
            let step = gap.min(width / (last.len() + 1) as f64);
            let middle = (last.len() as f64 - 1.0) / 2.0;
            for (i, &segment) in last.iter().enumerate() {
                self.segments[segment].enters = (i as f64 - middle) * step;
            }
        }
    }

    /// Heights, and routes along the dummies.
    fn finish(&self, nodes: &[Node], ranks: &[usize], x: Vec<f64>, gaps: &Gaps) -> Layout {
        let left = |v: usize| x[v] - self.vertices[v].width / 2.0;
        let least = (0..x.len()).map(left).fold(f64::INFINITY, f64::min);
        let x: Vec<f64> = x.iter().map(|x| x - least).collect();
        let right = |v: usize| x[v] + self.vertices[v].width / 2.0;
        let width = (0..x.len()).map(right).fold(0.0, f64::max);
        let bands = self.bands(nodes, ranks, &x, gaps);
        let top = |node: usize| {
            let [top, bottom] = bands[ranks[node]];
            top + (bottom - top - nodes[node].height) / 2.0
        };
        let route = |chain: &Vec<usize>| self.route(chain, &x, &bands, nodes, &top);
        Layout {
            width,
            height: bands.last().map_or(0.0, |band| band[1]),
            tops: (0..nodes.len()).map(|node| [x[node], top(node)]).collect(),
            routes: self.chains.iter().map(route).collect(),
        }
    }

    /// Top and bottom of each layer.
    fn bands(&self, nodes: &[Node], ranks: &[usize], x: &[f64], gaps: &Gaps) -> Vec<[f64; 2]> {
        let mut heights = vec![0.0f64; self.layers.len()];
        for (node, &rank) in nodes.iter().zip(ranks) {
            heights[rank] = heights[rank].max(node.height);
        }
        let mut rank_of = vec![0; self.vertices.len()];
        for (rank, layer) in self.layers.iter().enumerate() {
            layer.iter().for_each(|&vertex| rank_of[vertex] = rank);
        }
        // How far to the side the edges below a layer lead, at most.
        let mut aside = vec![0.0f64; self.layers.len()];
        for s in &self.segments {
            let rank = rank_of[s.from];
            aside[rank] = aside[rank].max((x[s.from] + s.leaves - x[s.to] - s.enters).abs());
        }
        let mut top = 0.0;
        let mut band = |(height, aside): (f64, f64)| {
            let band = [top, top + height];
            top += height + gaps.below + ((aside - 40.0) * 0.11).clamp(0.0, gaps.below);
            band
        };
        heights.into_iter().zip(aside).map(&mut band).collect()
    }

    fn route(
        &self,
        chain: &[usize],
        x: &[f64],
        bands: &[[f64; 2]],
        nodes: &[Node],
        top: &impl Fn(usize) -> f64,
    ) -> Vec<Stretch> {
        let band = |vertex: usize| {
            let rank = self.layers.iter().position(|layer| layer.contains(&vertex));
            bands[rank.expect("every vertex has a layer")]
        };
        let Some(first) = chain.first().map(|&s| &self.segments[s]) else {
            return Vec::new();
        };
        let mut route = vec![Stretch {
            x: x[first.from] + first.leaves,
            top: top(first.from) + nodes[first.from].height,
            bottom: band(first.from)[1],
        }];
        for s in chain.iter().map(|&s| &self.segments[s]) {
            let [above, below] = band(s.to);
            let is_node = !self.vertices[s.to].is_dummy;
            route.push(Stretch {
                x: x[s.to] + s.enters,
                top: above,
                bottom: if is_node { top(s.to) } else { below },
            });
        }
        route
    }
}

#[cfg(test)]
mod tests;
