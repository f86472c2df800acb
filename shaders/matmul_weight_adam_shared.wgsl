// Weight gradient of a dense layer in tiles over workgroup memory (matmul_weight_shared_tile.wgsl), spent
// at once on an Adam step (adam_rule.wgsl), so that it is never stored; for GPUs.
//
// g[k,n] = sum over rows of x[m,k] dy[m,n]; nothing changes where a loss was not finite (metrics[2]).
//
// x (m, k); dy (m, n); metrics (4); w, moment1, moment2: a window of panels, (panels, k, 32), whose
// columns behind n have a zero gradient. A load that stands behind a store waits for it: while a vector is
// spent, the next ones are on their way from memory.

@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<Stored>;
@group(0) @binding(3) var<storage, read> dy: array<Stored>;
@group(0) @binding(4) var<storage, read> metrics: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> moment1: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> moment2: array<vec4<f32>>;

/// Four gradients and what they change.
struct Update {
    gradient: Gradient,
    held: Held,
}

/// The updates on their way from memory.
struct Ahead {
    near: Update,
    far: Update,
}

fn begin(gradient: Gradient) -> Update {
    return Update(gradient, held(select(0u, gradient.at, gradient.inside)));
}

fn finish(update: Update) {
    if update.gradient.inside {
        spend(update.gradient.at, update.held, update.gradient.value);
    }
}

/// Begins an update, then finishes the one that was begun two before.
fn follow(ahead: Ahead, gradient: Gradient) -> Ahead {
    let next = begin(gradient);
    finish(ahead.near);
    return Ahead(ahead.far, next);
}

/// The updates of a line behind others.
fn follow_line(ahead: Ahead, place: Place, line: u32, sums: Pair) -> Ahead {
    var now = follow(ahead, gradient_of(place, line, 0u, sums.left));
    if COLUMN_VECTORS > 1u {
        now = follow(now, gradient_of(place, line, 1u, sums.right));
    }
    return now;
}

fn update_all(place: Place, sums: Sums) {
    var ahead: Ahead;
    ahead.near = begin(gradient_of(place, 0u, 0u, sums.l0.left));
    ahead.far = begin(gradient_of(place, 1u, 0u, sums.l1.left));
    if COLUMN_VECTORS > 1u {
        ahead = follow(ahead, gradient_of(place, 0u, 1u, sums.l0.right));
        ahead = follow(ahead, gradient_of(place, 1u, 1u, sums.l1.right));
    }
    ahead = follow_line(ahead, place, 2u, sums.l2);
    ahead = follow_line(ahead, place, 3u, sums.l3);
    if LINE_VECTORS > 1u {
        ahead = follow_line(ahead, place, 4u, sums.l4);
        ahead = follow_line(ahead, place, 5u, sums.l5);
        ahead = follow_line(ahead, place, 6u, sums.l6);
        ahead = follow_line(ahead, place, 7u, sums.l7);
    }
    finish(ahead.near);
    finish(ahead.far);
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_backward_weight_adam_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Looked up once: a look behind a store waits for it.
    let finite = metrics[2] == 0.0;
    let tile = tile_of(workgroup_index(group, groups));
    let sums = sum_up(tile, local);
    if finite {
        update_all(place_of(tile, local), sums);
    }
}
