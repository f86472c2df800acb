// conv2d in register tiles (conv2d_tile.wgsl) whose weights are shared by subgroup broadcast, for
// adapters with subgroups of 8 where a load by single lanes is dear: two vector loads bring the
// ten weights of a tap to all lanes. A workgroup is one subgroup: 8 tiles of one block of channels.

fn run(walk: Walk, group: u32, lane: u32) {
    let blocks = (walk.channels + 9u) / 10u;
    convolve(walk, group / blocks * 8u + lane, group % blocks * 10u, lane);
}

/// Ten weights, `step` apart; those behind `count` are never stored.
fn load_weights(at: u32, step: u32, count: u32, lane: u32) -> Weights {
    let low = w[at + min(lane, count - 1u) * step];
    let high = w[at + min(lane + 8u, count - 1u) * step];
    return Weights(
        subgroupBroadcast(low, 0u),
        subgroupBroadcast(low, 1u),
        subgroupBroadcast(low, 2u),
        subgroupBroadcast(low, 3u),
        subgroupBroadcast(low, 4u),
        subgroupBroadcast(low, 5u),
        subgroupBroadcast(low, 6u),
        subgroupBroadcast(low, 7u),
        subgroupBroadcast(high, 0u),
        subgroupBroadcast(high, 1u),
    );
}

@compute @workgroup_size(8)
fn conv2d_forward_subgroup(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    run(forward_walk(), workgroup_index(group, groups), lane);
}

@compute @workgroup_size(8)
fn conv2d_backward_input_subgroup(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    run(backward_walk(), workgroup_index(group, groups), lane);
}
