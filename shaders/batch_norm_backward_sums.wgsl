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
        let share = i / params.c;
        let c = i % params.c;
        store(share, c, sums_of(c, steps_of(share)));
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
    let share = i / params.c;
    let c = i % params.c;
    let both = sums_by_group(c, select(vec2<u32>(), steps_of(share), inside), local);
    if inside && local == 0u {
        store(share, c, both);
    }
}
