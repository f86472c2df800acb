// batch_norm_forward: mean and variance of channels that are one share, and the normalized channels:
// batch_norm_statistics and batch_norm_apply at once.
//
// x (n, x_channels, pixels) and y (n, y_channels, pixels), of which c channels from x_first and y_first on; gamma, beta,
// mean, variance (c). An invocation owns a channel (naive), or a workgroup does (tree). The statistics are those of
// the valid rows; y has all.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<Lanes>;
@group(0) @binding(3) var<storage, read> gamma: array<f32>;
@group(0) @binding(4) var<storage, read> beta: array<f32>;
@group(0) @binding(5) var<storage, read_write> mean: array<f32>;
@group(0) @binding(6) var<storage, read_write> variance: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<Lanes>;

/// Stores a step of the plane that lies at `place`.
fn store(walk: Walk, place: u32, line: Line) {
    let value = x[at(walk, params.x_channels, params.x_first + place)];
    y[at(walk, params.y_channels, params.y_first + place)] = applied(line, value);
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = workgroup_index(group, groups) * WORKGROUP + local;
    if c < params.c {
        let place = place_of(c);
        let both = moments_of(params.x_first + place, steps_of(0u));
        mean[c] = both.x;
        variance[c] = both.y;
        let line = line_of(c, both.x, both.y);
        let steps = steps_of_all();
        var walk = walk_to(0u);
        for (var s = 0u; s < steps; s += 1u) {
            store(walk, place, line);
            walk = next(walk);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_forward_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups);
    let inside = i < params.c;
    let c = i % params.c;
    let place = place_of(c);
    let both = moments_by_group(params.x_first + place, select(vec2<u32>(), steps_of(0u), inside), local);
    if inside && local == 0u {
        mean[c] = both.x;
        variance[c] = both.y;
    }
    let line = line_of(c, both.x, both.y);
    let steps = select(0u, steps_of_all(), inside);
    for (var s = local; s < steps; s += WORKGROUP) {
        store(walk_to(s), place, line);
    }
}
