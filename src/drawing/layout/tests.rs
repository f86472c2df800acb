//! Layouts of graphs that networks have: nothing overlaps, edges lead down, few cross, chains are straight and
//! branches symmetric.

use super::{Edge, Gaps, Layered, Layout, Node, Pin, layout, order, rank};

const GAPS: Gaps = Gaps {
    beside: 20.0,
    below: 30.0,
    ports: 20.0,
};

fn nodes(count: usize) -> Vec<Node> {
    let sized = |i: usize| Node {
        width: 100.0 + (i * 37 % 60) as f64,
        height: 40.0 + (i * 13 % 25) as f64,
        pin: Pin::Free,
    };
    (0..count).map(sized).collect()
}

fn edges(pairs: &[(usize, usize)]) -> Vec<Edge> {
    let edge = |&(from, to): &(usize, usize)| Edge {
        from,
        to,
        leaves: 0.0,
        enters: None,
    };
    pairs.iter().map(edge).collect()
}

/// Lays out, and holds to what every layout must be.
fn checked(nodes: &[Node], edges: &[Edge]) -> Layout {
    let laid = layout(nodes, edges, &GAPS);
    let sides = |i: usize| {
        let ([x, y], node) = (laid.tops[i], nodes[i]);
        [
            x - node.width / 2.0,
            x + node.width / 2.0,
            y,
            y + node.height,
        ]
    };
    for a in 0..nodes.len() {
        let [left, right, top, bottom] = sides(a);
        assert!(left > -1e-6 && right < laid.width + 1e-6, "{a} is outside");
        assert!(top > -1e-6 && bottom < laid.height + 1e-6, "{a} is outside");
        for b in a + 1..nodes.len() {
            let other = sides(b);
            let apart = right + 19.9 < other[0] || other[1] + 19.9 < left;
            let above = bottom + 29.9 < other[2] || other[3] + 29.9 < top;
            assert!(
                apart || above,
                "{a} and {b} overlap: {:?} {other:?}",
                sides(a)
            );
        }
    }
    for (edge, route) in edges.iter().zip(&laid.routes) {
        let (first, last) = (route[0], route[route.len() - 1]);
        assert!((first.top - sides(edge.from)[3]).abs() < 1e-6);
        assert!((last.bottom - sides(edge.to)[2]).abs() < 1e-6);
        let [left, right, ..] = sides(edge.to);
        assert!(left < last.x && last.x < right, "{edge:?} misses its node");
        assert!(route.iter().all(|s| s.bottom >= s.top - 1e-6), "{route:?}");
        assert!(
            route.windows(2).all(|s| s[1].top > s[0].bottom),
            "{route:?}"
        );
        for stretch in &route[1..route.len() - 1] {
            for node in 0..nodes.len() {
                let [left, right, top, bottom] = sides(node);
                let beside = stretch.x < left || right < stretch.x;
                let apart = stretch.bottom <= top || bottom <= stretch.top;
                assert!(beside || apart, "{edge:?} passes over {node}");
            }
        }
    }
    laid
}

fn crossings(nodes: &[Node], edges: &[Edge]) -> i64 {
    let mut layered = Layered::new(nodes, edges, &rank::ranks(nodes, edges));
    order::order(&mut layered);
    let mut below = vec![Vec::new(); layered.vertices.len()];
    let segments = layered.segments.iter();
    segments.for_each(|s| below[s.from].push(s.to));
    order::crossings(&layered, &below)
}

/// 0 splits into 1x1, 3x3, 5x5 and pool; 7 joins them.
const INCEPTION: [(usize, usize); 11] = [
    (0, 1),
    (0, 2),
    (0, 3),
    (0, 4),
    (2, 5),
    (3, 6),
    (4, 8),
    (1, 7),
    (5, 7),
    (6, 7),
    (8, 7),
];

#[test]
fn an_inception_block_has_no_crossing_and_straight_branches() {
    let mut nodes = nodes(9);
    nodes
        .iter_mut()
        .for_each(|node| [node.width, node.height] = [120.0, 40.0]);
    // However its edges are written.
    for turn in 0..INCEPTION.len() {
        let mut pairs = INCEPTION;
        pairs.rotate_left(turn);
        let edges = edges(&pairs);
        let laid = checked(&nodes, &edges);
        assert_eq!(crossings(&nodes, &edges), 0, "turned by {turn}");
        for (a, b) in [(2, 5), (3, 6), (4, 8)] {
            let aside = laid.tops[a][0] - laid.tops[b][0];
            assert!(aside.abs() < 1e-6, "{a} to {b} is not straight: {aside}");
        }
        // The ends of all branches are level, and both ends of the block lie over the middle.
        assert_eq!(laid.tops[1][1], laid.tops[5][1]);
        for end in [0, 7] {
            assert!(
                (laid.tops[end][0] - laid.width / 2.0).abs() < 1e-6,
                "{:?}",
                laid.tops
            );
        }
    }
}

#[test]
fn chains_are_straight_and_empty_graphs_empty() {
    let chain = edges(&[(0, 1), (1, 2), (2, 3)]);
    let laid = checked(&nodes(4), &chain);
    assert!(
        laid.tops
            .windows(2)
            .all(|t| (t[0][0] - t[1][0]).abs() < 1e-6)
    );
    let nothing = layout(&[], &[], &GAPS);
    assert_eq!([nothing.width, nothing.height], [0.0; 2]);
    checked(&nodes(3), &[]);
}

#[test]
fn long_edges_pass_beside_what_they_skip() {
    // Residual blocks, whose shortcuts skip two layers each.
    let pairs = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4), (0, 4)];
    let laid = checked(&nodes(5), &edges(&pairs));
    assert!(laid.routes[6].len() > 3, "it passes layers");
}

#[test]
fn pinned_nodes_stand_first_and_last() {
    let mut nodes = nodes(5);
    nodes[3].pin = Pin::Last;
    nodes[4].pin = Pin::First;
    let pairs = [(4, 0), (0, 1), (1, 2), (0, 3)];
    let laid = checked(&nodes, &edges(&pairs));
    let heights: Vec<f64> = laid.tops.iter().map(|top| top[1]).collect();
    assert!(heights[..4].iter().all(|&y| y > heights[4]), "{heights:?}");
    assert!(heights[..3].iter().all(|&y| y < heights[3]), "{heights:?}");
}

#[test]
fn edges_that_have_a_place_keep_it() {
    let mut edges = edges(&[(0, 1), (1, 2)]);
    edges[0].leaves = 30.0;
    edges[0].enters = Some(-20.0);
    let nodes = nodes(3);
    let laid = checked(&nodes, &edges);
    let first = laid.routes[0][0];
    assert!((first.x - laid.tops[0][0] - 30.0).abs() < 1e-6);
    let last = laid.routes[0][1];
    assert!((last.x - first.x).abs() < 1e-6, "it is straight");
    assert!((last.x - laid.tops[1][0] + 20.0).abs() < 1e-6);
}

/// Graphs of all kinds, made of the numbers' digits.
#[test]
fn any_graph_without_a_circle_is_laid_out() {
    for seed in 0..200u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize % below
        };
        let count = 2 + next(14);
        let pairs: Vec<(usize, usize)> = (0..next(2 * count))
            .map(|_| {
                let from = next(count - 1);
                (from, from + 1 + next(count - 1 - from))
            })
            .collect();
        checked(&nodes(count), &edges(&pairs));
    }
}
