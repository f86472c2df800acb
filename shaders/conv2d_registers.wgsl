// conv2d in register tiles (conv2d_tile.wgsl) without barriers and without subgroups: every
// invocation loads its weights itself, 160 multiply-adds for twelve loads. A workgroup owns
// 32 tiles of one block of channels.

/// Ten weights, `step` apart; those behind `count` are never stored.
fn load_weights(at: u32, step: u32, count: u32, lane: u32) -> Weights {
    let last = at + (count - 1u) * step;
    return Weights(
        w[at],
        w[min(at + 1u * step, last)],
        w[min(at + 2u * step, last)],
        w[min(at + 3u * step, last)],
        w[min(at + 4u * step, last)],
        w[min(at + 5u * step, last)],
        w[min(at + 6u * step, last)],
        w[min(at + 7u * step, last)],
        w[min(at + 8u * step, last)],
        w[min(at + 9u * step, last)],
    );
}

fn run(walk: Walk, group: u32, lane: u32) {
    let blocks = (walk.channels + 9u) / 10u;
    convolve(walk, group / blocks * 32u + lane, group % blocks * 10u, lane);
}

@compute @workgroup_size(32)
fn conv2d_forward_registers(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    run(forward_walk(), workgroup_index(group, groups), lane);
}

@compute @workgroup_size(32)
fn conv2d_backward_input_registers(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    run(backward_walk(), workgroup_index(group, groups), lane);
}
