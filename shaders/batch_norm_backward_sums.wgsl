// batch_norm_backward_sums: sum(dy) and sum(dy (x - mean)) of each channel over each share of its elements in valid
// rows.
//
// x (n, x_channels, pixels) and dy (n, y_channels, pixels), of which c channels from x_first and y_first on;
// mean (c); sums (shares, 2, c), zero for a share of padding alone. An invocation owns one share of one channel
// (naive), or a workgroup does (tree).

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<Lanes>;
@group(0) @binding(3) var<storage, read> dy: array<Lanes>;
@group(0) @binding(4) var<storage, read> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

fn store(share: u32, c: u32, both: vec2<f32>) {
    sums[2u * share * params.c + c] = both.x;
    sums[(2u * share + 1u) * params.c + c] = both.y;
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.shares * params.c {
        let c = i % params.c;
        let steps = steps_of(i / params.c);
        let place = place_of(c);
        let about = Lanes(mean[c]);
        var first = Lanes();
        var second = Lanes();
        var walk = walk_to(steps.x);
        for (var s = steps.x; s < steps.y; s += 1u) {
            let gradient = dy[at(walk, params.y_channels, params.y_first + place)];
            first += gradient;
            second += gradient * (x[at(walk, params.x_channels, params.x_first + place)] - about);
            walk = next(walk);
        }
        store(i / params.c, c, vec2<f32>(total(first), total(second)));
    }
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_sums_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups);
    let inside = i < params.shares * params.c;
    let c = i % params.c;
    let place = place_of(c);
    let steps = select(vec2<u32>(), steps_of(i / params.c), inside);
    let about = Lanes(mean[c]);
    var first = Lanes();
    var second = Lanes();
    for (var s = steps.x + local; s < steps.y; s += WORKGROUP) {
        let walk = walk_to(s);
        let gradient = dy[at(walk, params.y_channels, params.y_first + place)];
        first += gradient;
        second += gradient * (x[at(walk, params.x_channels, params.x_first + place)] - about);
    }
    let both = sum_of_group(local, vec2<f32>(total(first), total(second)));
    if inside && local == 0u {
        store(i / params.c, c, both);
    }
}
