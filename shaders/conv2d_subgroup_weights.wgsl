
// How ten weights of a tap reach the lanes of a subgroup of 8 (conv2d_subgroup, conv2d_subgroup_wide):
// two vector loads, then broadcasts. The kernels declare w.

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
