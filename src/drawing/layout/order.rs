//! The order within layers: sweeps of barycentres, then swaps of neighbours, as long as fewer edges cross.

use super::Layered;

/// Sweeps down and up, at most; small graphs settle after a few.
const SWEEPS: usize = 24;

/// Of each vertex, the vertices of the next layer on one side.
type Neighbours = Vec<Vec<usize>>;

/// Sorts the layers.
pub(super) fn order(graph: &mut Layered) {
    let mut above: Neighbours = vec![Vec::new(); graph.vertices.len()];
    let mut below = above.clone();
    for segment in &graph.segments {
        above[segment.to].push(segment.from);
        below[segment.from].push(segment.to);
    }
    begin(graph, &above, &below);
    let mut best = graph.layers.clone();
    let mut fewest = crossings(graph, &below);
    for sweep in 0..SWEEPS {
        if fewest == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        let neighbours = if down { &above } else { &below };
        for i in 0..graph.layers.len() {
            let layer = if down { i } else { graph.layers.len() - 1 - i };
            by_barycentre(graph, layer, neighbours);
        }
        swap_neighbours(graph, &above, &below);
        let crossings = crossings(graph, &below);
        if crossings < fewest {
            fewest = crossings;
            best = graph.layers.clone();
        }
    }
    graph.layers = best;
}

/// Depth first from the top: what hangs together begins together.
fn begin(graph: &mut Layered, above: &Neighbours, below: &Neighbours) {
    let mut rank_of = vec![0; graph.vertices.len()];
    for (rank, layer) in graph.layers.iter().enumerate() {
        layer.iter().for_each(|&vertex| rank_of[vertex] = rank);
    }
    let tops = (0..graph.vertices.len()).filter(|&vertex| above[vertex].is_empty());
    let mut waiting: Vec<usize> = tops.collect();
    waiting.reverse();
    let mut seen = vec![false; graph.vertices.len()];
    graph.layers.iter_mut().for_each(Vec::clear);
    while let Some(vertex) = waiting.pop() {
        if !std::mem::replace(&mut seen[vertex], true) {
            graph.layers[rank_of[vertex]].push(vertex);
            waiting.extend(below[vertex].iter().rev());
        }
    }
}

fn by_barycentre(graph: &mut Layered, layer: usize, neighbours: &Neighbours) {
    let positions = graph.positions();
    let centre = |vertex: usize| {
        let near = &neighbours[vertex];
        match near.len() {
            // Who has none stays.
            0 => positions[vertex] as f64,
            n => near.iter().map(|&v| positions[v] as f64).sum::<f64>() / n as f64,
        }
    };
    graph.layers[layer].sort_by(|&a, &b| centre(a).total_cmp(&centre(b)));
}

/// Swaps neighbours where that takes crossings away, until it does no more.
fn swap_neighbours(graph: &mut Layered, above: &Neighbours, below: &Neighbours) {
    let mut positions = graph.positions();
    let mut better = true;
    while better {
        better = false;
        for layer in &mut graph.layers {
            for i in 1..layer.len() {
                let (a, b) = (layer[i - 1], layer[i]);
                let gain = |side: &Neighbours| {
                    let now = pairs(&side[a], &side[b], &positions);
                    now - pairs(&side[b], &side[a], &positions)
                };
                if gain(above) + gain(below) > 0 {
                    layer.swap(i - 1, i);
                    positions.swap(a, b);
                    better = true;
                }
            }
        }
    }
}

/// Crossings of the edges of a vertex with those of one to its right.
fn pairs(left: &[usize], right: &[usize], positions: &[usize]) -> i64 {
    let crossed = |&a: &usize| {
        let crossed = right.iter().filter(|&&b| positions[b] < positions[a]);
        crossed.count() as i64
    };
    left.iter().map(crossed).sum()
}

/// Edges that cross, of all layers.
pub(super) fn crossings(graph: &Layered, below: &Neighbours) -> i64 {
    let positions = graph.positions();
    let of_layer = |layer: &Vec<usize>| -> i64 {
        let with_those_behind = |(i, &a): (usize, &usize)| -> i64 {
            let behind = layer[i + 1..].iter();
            behind
                .map(|&b| pairs(&below[a], &below[b], &positions))
                .sum()
        };
        layer.iter().enumerate().map(with_those_behind).sum()
    };
    graph.layers.iter().map(of_layer).sum()
}
