//! The x of every vertex, after Brandes and Koepf (Fast and Simple Horizontal Coordinate Assignment, 2001):
//! vertices are aligned with the median of their neighbours into blocks that stand straight, once from each of
//! four corners; each of the four is packed, and the mean of the two middle ones is taken, which is symmetric.

use super::{Layered, Segment};
use std::collections::HashSet;

/// The middle of each vertex. Vertices of a layer keep `gap` between them.
pub(super) fn place(graph: &Layered, gap: f64) -> Vec<f64> {
    let crossed = crossed(graph);
    let mut four = Vec::new();
    for upwards in [false, true] {
        for mirrored in [false, true] {
            let view = View::new(graph, upwards, mirrored);
            let blocks = view.align(&crossed);
            let mut x = view.pack(&blocks, graph, gap);
            if mirrored {
                x.iter_mut().for_each(|x| *x = -*x);
            }
            four.push(x);
        }
    }
    middle(graph, four)
}

/// The graph seen from a corner: layers in the order of visits, and each vertex's neighbours in the one before.
struct View {
    layers: Vec<Vec<usize>>,
    positions: Vec<usize>,
    /// (neighbour, how far right of it this vertex stands if their edge is straight), from left to right.
    neighbours: Vec<Vec<(usize, f64)>>,
    /// Of each vertex whose edges on the other side are two: the vertex on the longer way, if one is.
    trunks: Vec<Option<usize>>,
    /// Nodes on the longest way that leads on from each vertex, on the side of its neighbours.
    ways: Vec<usize>,
}

/// Nodes on the longest way down to each vertex, and on the longest way down from it; dummies do not count.
fn ways(graph: &Layered) -> [Vec<usize>; 2] {
    let node = |vertex: usize| usize::from(!graph.vertices[vertex].is_dummy);
    let mut ways = [0, 1].map(|_| (0..graph.vertices.len()).map(node).collect::<Vec<_>>());
    let [above, below] = &mut ways;
    for layer in &graph.layers {
        for s in graph.segments.iter().filter(|s| layer.contains(&s.to)) {
            above[s.to] = above[s.to].max(above[s.from] + node(s.to));
        }
    }
    for layer in graph.layers.iter().rev() {
        for s in graph.segments.iter().filter(|s| layer.contains(&s.from)) {
            below[s.from] = below[s.from].max(below[s.to] + node(s.from));
        }
    }
    ways
}

/// Vertices that stand under each other.
struct Blocks {
    root: Vec<usize>,
    /// How far right of its root each stands.
    shift: Vec<f64>,
}

impl View {
    fn new(graph: &Layered, upwards: bool, mirrored: bool) -> View {
        let mut layers = graph.layers.clone();
        if upwards {
            layers.reverse();
        }
        if mirrored {
            layers.iter_mut().for_each(|layer| layer.reverse());
        }
        let mut positions = vec![0; graph.vertices.len()];
        for layer in &layers {
            let numbered = layer.iter().enumerate();
            numbered.for_each(|(i, &vertex)| positions[vertex] = i);
        }
        let sign = if mirrored { -1.0 } else { 1.0 };
        let mut neighbours = vec![Vec::new(); graph.vertices.len()];
        for s in &graph.segments {
            let right = sign * (s.leaves - s.enters);
            if upwards {
                neighbours[s.from].push((s.to, -right));
            } else {
                neighbours[s.to].push((s.from, right));
            }
        }
        for (vertex, near) in neighbours.iter_mut().enumerate() {
            // Edges that start at one place end side by side.
            near.sort_by(|a: &(usize, f64), b| {
                let (a_at, b_at) = (positions[a.0], positions[b.0]);
                a_at.cmp(&b_at).then(a.1.total_cmp(&b.1))
            });
            debug_assert!(near.iter().all(|(other, _)| *other != vertex));
        }
        let [above, below] = ways(graph);
        let (ways, back) = if upwards {
            (below, above)
        } else {
            (above, below)
        };
        let mut others = vec![Vec::new(); graph.vertices.len()];
        for (vertex, near) in neighbours.iter().enumerate() {
            near.iter()
                .for_each(|(other, _)| others[*other].push(vertex));
        }
        let trunk = |others: &Vec<usize>| match others[..] {
            [a, b] if back[a] > back[b] => Some(a),
            [a, b] if back[b] > back[a] => Some(b),
            _ => None,
        };
        View {
            layers,
            positions,
            neighbours,
            trunks: others.iter().map(trunk).collect(),
            ways,
        }
    }

    /// The neighbours that a vertex would stand under, best first: of two the one on the longer way, for a trunk
    /// goes straight on and its side branches give way; else the medians.
    fn medians(&self, vertex: usize) -> &[(usize, f64)] {
        let near = &self.neighbours[vertex];
        match near[..] {
            [a, b] if self.ways[a.0] > self.ways[b.0] => &near[..1],
            [a, b] if self.ways[b.0] > self.ways[a.0] => &near[1..],
            [] => near,
            _ => &near[(near.len() - 1) / 2..=near.len() / 2],
        }
    }

    /// Blocks of vertices, each aligned with a median neighbour, where no block before lies across.
    fn align(&self, crossed: &HashSet<(usize, usize)>) -> Blocks {
        let count = self.positions.len();
        let mut root: Vec<usize> = (0..count).collect();
        let mut shift = vec![0.0; count];
        let mut taken = vec![false; count];
        for layer in &self.layers {
            // The rightmost neighbour that a vertex further left is aligned with.
            let mut border = None;
            for &vertex in layer {
                for &(other, right) in self.medians(vertex) {
                    if self.trunks[other].is_some_and(|trunk| trunk != vertex) {
                        continue;
                    }
                    let free = border.is_none_or(|border| border < self.positions[other]);
                    let straight = !crossed.contains(&(other, vertex));
                    let alone = root[vertex] == vertex && !taken[other];
                    if free && straight && alone && root[other] != vertex {
                        root[vertex] = root[other];
                        shift[vertex] = shift[other] + right;
                        taken[other] = true;
                        border = Some(self.positions[other]);
                    }
                }
            }
        }
        Blocks { root, shift }
    }

    /// Blocks as far left as they can stand; then those that only others on their right hold, towards these.
    fn pack(&self, blocks: &Blocks, graph: &Layered, gap: f64) -> Vec<f64> {
        // (left block, right block, least distance of their roots)
        let mut apart = Vec::new();
        for layer in &self.layers {
            for pair in layer.windows(2) {
                let (a, b) = (pair[0], pair[1]);
                let wide = (graph.vertices[a].width + graph.vertices[b].width) / 2.0 + gap;
                let roots = wide + blocks.shift[a] - blocks.shift[b];
                apart.push((blocks.root[a], blocks.root[b], roots));
            }
        }
        let order = in_order(self.positions.len(), &apart);
        let mut x = vec![0.0f64; self.positions.len()];
        for &block in &order {
            let left = apart.iter().filter(|(_, b, _)| *b == block);
            let least = left.map(|&(a, _, d)| x[a] + d);
            x[block] = least.reduce(f64::max).unwrap_or(0.0);
        }
        for &block in order.iter().rev() {
            let right = apart.iter().filter(|(a, _, _)| *a == block);
            let most = right.map(|&(_, b, d)| x[b] - d).reduce(f64::min);
            x[block] = most.map_or(x[block], |most| most.max(x[block]));
        }
        let at = |vertex: usize| x[blocks.root[vertex]] + blocks.shift[vertex];
        (0..x.len()).map(at).collect()
    }
}

/// Blocks from left to right.
fn in_order(count: usize, apart: &[(usize, usize, f64)]) -> Vec<usize> {
    let mut left = vec![0; count];
    apart.iter().for_each(|(_, b, _)| left[*b] += 1);
    let mut order: Vec<usize> = (0..count).filter(|&block| left[block] == 0).collect();
    let mut next = 0;
    while let Some(&block) = order.get(next) {
        next += 1;
        for (_, b, _) in apart.iter().filter(|(a, _, _)| *a == block) {
            left[*b] -= 1;
            if left[*b] == 0 {
                order.push(*b);
            }
        }
    }
    order
}

/// Pairs of vertices whose edge crosses a long one, which is to stay straight.
fn crossed(graph: &Layered) -> HashSet<(usize, usize)> {
    let positions = graph.positions();
    let dummy = |vertex: usize| graph.vertices[vertex].is_dummy;
    let is_long = |s: &&Segment| dummy(s.from) && dummy(s.to);
    let mut layer_of = vec![0; graph.vertices.len()];
    for (i, layer) in graph.layers.iter().enumerate() {
        layer.iter().for_each(|&vertex| layer_of[vertex] = i);
    }
    let mut crossed = HashSet::new();
    for long in graph.segments.iter().filter(is_long) {
        let beside = graph
            .segments
            .iter()
            .filter(|s| layer_of[s.from] == layer_of[long.from]);
        for s in beside.filter(|s| !is_long(s)) {
            let from = positions[s.from].cmp(&positions[long.from]);
            let to = positions[s.to].cmp(&positions[long.to]);
            if from != to && from.is_ne() && to.is_ne() {
                crossed.extend([(s.from, s.to), (s.to, s.from)]);
            }
        }
    }
    crossed
}

/// The mean of the two middle ones of four, side by side with the narrowest.
fn middle(graph: &Layered, mut four: Vec<Vec<f64>>) -> Vec<f64> {
    let span = |x: &[f64]| {
        let half = |vertex: usize| graph.vertices[vertex].width / 2.0;
        let sides = (0..x.len()).map(|v| [x[v] - half(v), x[v] + half(v)]);
        let join = |a: [f64; 2], b: [f64; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        sides.reduce(join).unwrap_or([0.0; 2])
    };
    let spans: Vec<[f64; 2]> = four.iter().map(|x| span(x)).collect();
    let narrowest = spans
        .iter()
        .min_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0])));
    let &[left, right] = narrowest.expect("four of them");
    for (i, x) in four.iter_mut().enumerate() {
        let mirrored = i % 2 == 1;
        let by = match mirrored {
            false => left - spans[i][0],
            true => right - spans[i][1],
        };
        x.iter_mut().for_each(|x| *x += by);
    }
    let mean = |vertex: usize| {
        let mut x: Vec<f64> = four.iter().map(|x| x[vertex]).collect();
        x.sort_by(f64::total_cmp);
        (x[1] + x[2]) / 2.0
    };
    (0..graph.vertices.len()).map(mean).collect()
}
