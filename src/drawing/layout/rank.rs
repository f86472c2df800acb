//! Layers: each node below all that lead to it.

use super::{Edge, Node, Pin};

/// The layer of each node, from 0.
pub(super) fn ranks(nodes: &[Node], edges: &[Edge]) -> Vec<usize> {
    let order = topological(nodes.len(), edges);
    let mut ranks = vec![0; nodes.len()];
    let has_first = nodes.iter().any(|node| node.pin == Pin::First);
    for &node in &order {
        let above = edges.iter().filter(|edge| edge.to == node);
        let below = above.map(|edge| ranks[edge.from] + 1).max();
        let least = usize::from(has_first && nodes[node].pin != Pin::First);
        ranks[node] = below.unwrap_or(0).max(least);
    }
    pull_down(nodes, edges, &order, &mut ranks);
    let free = |node: &usize| nodes[*node].pin != Pin::Last;
    let deepest = (0..nodes.len()).filter(free).map(|node| ranks[node] + 1);
    let last = deepest.max().unwrap_or(0);
    for (node, rank) in nodes.iter().zip(&mut ranks) {
        if node.pin == Pin::Last {
            *rank = last;
        }
    }
    ranks
}

/// Shortens edges: a node that as many edges leave as enter stands right above the first that reads it, so that
/// the ends of branches are level.
fn pull_down(nodes: &[Node], edges: &[Edge], order: &[usize], ranks: &mut [usize]) {
    for &node in order.iter().rev() {
        let enter = edges.iter().filter(|edge| edge.to == node).count();
        let leave = edges.iter().filter(|edge| edge.from == node);
        let reads = |edge: &Edge| match nodes[edge.to].pin {
            // The last layer comes later, and holds nobody down.
            Pin::Last => None,
            _ => Some(ranks[edge.to] - 1),
        };
        let lowest = leave.clone().filter_map(reads).min();
        if let Some(lowest) = lowest
            && leave.count() >= enter
            && nodes[node].pin == Pin::Free
        {
            ranks[node] = lowest;
        }
    }
}

/// Every node behind those that lead to it.
fn topological(nodes: usize, edges: &[Edge]) -> Vec<usize> {
    let mut entering = vec![0; nodes];
    edges.iter().for_each(|edge| entering[edge.to] += 1);
    let mut order: Vec<usize> = (0..nodes).filter(|&node| entering[node] == 0).collect();
    let mut next = 0;
    while let Some(&node) = order.get(next) {
        next += 1;
        for edge in edges.iter().filter(|edge| edge.from == node) {
            entering[edge.to] -= 1;
            if entering[edge.to] == 0 {
                order.push(edge.to);
            }
        }
    }
    assert_eq!(order.len(), nodes, "the edges have a circle");
    order
}
