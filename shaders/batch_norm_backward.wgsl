// batch_norm_backward: all gradients of channels that are one share: batch_norm_backward_sums, _merge and _input at
// once, without a mask.
//
// x (n, x_channels, pixels) and dy (n, y_channels, pixels), of which c channels from x_first and y_first on; mean,
// variance, gamma, grad_gamma, grad_beta (c); grad_x (n, grad_channels, pixels), c channels from grad_first on, zero in
// rows of padding. An invocation owns a channel (naive), or a workgroup does (tree).

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<Lanes>;
@group(0) @binding(3) var<storage, read> dy: array<Lanes>;
@group(0) @binding(4) var<storage, read> mean: array<f32>;
@group(0) @binding(5) var<storage, read> variance: array<f32>;
@group(0) @binding(6) var<storage, read> gamma: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_gamma: array<f32>;
@group(0) @binding(8) var<storage, read_write> grad_beta: array<f32>;
@group(0) @binding(9) var<storage, read_write> grad_x: array<Lanes>;

/// Stores the gradient of a step of the plane that lies at `place`.
fn store(walk: Walk, place: u32, four: vec4<f32>) {
    var gradient = Lanes();
    if walk.image < step.valid_rows {
        let own = dy[at(walk, params.y_channels, params.y_first + place)];
        gradient = gradient_of(four, own, x[at(walk, params.x_channels, params.x_first + place)]);
    }
    grad_x[at(walk, params.grad_channels, params.grad_first + place)] = gradient;
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = workgroup_index(group, groups) * WORKGROUP + local;
    if c < params.c {
        let sums = sums_of(c, steps_of(0u));
        store_gradients(c, sums);
        let four = coefficients_of(c, sums);
        let place = place_of(c);
        let steps = steps_of_all();
        var walk = walk_to(0u);
        for (var s = 0u; s < steps; s += 1u) {
            store(walk, place, four);
            walk = next(walk);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups);
    let inside = i < params.c;
    let c = i % params.c;
    let sums = sums_by_group(c, select(vec2<u32>(), steps_of(0u), inside), local);
    if inside && local == 0u {
        store_gradients(c, sums);
    }
    let four = coefficients_of(c, sums);
    let place = place_of(c);
    let steps = select(0u, steps_of_all(), inside);
    for (var s = local; s < steps; s += WORKGROUP) {
        store(walk_to(s), place, four);
    }
}
