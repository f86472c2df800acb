// What each lane of a subgroup of 8 has loaded, spread to all of them, for kernels where a load is dear.

/// Four neighbouring numbers of each lane.
alias Eight = array<vec4<f32>, 8>;

fn spread(lanes: vec4<f32>) -> Eight {
    return Eight(
        subgroupBroadcast(lanes, 0u), subgroupBroadcast(lanes, 1u),
        subgroupBroadcast(lanes, 2u), subgroupBroadcast(lanes, 3u),
        subgroupBroadcast(lanes, 4u), subgroupBroadcast(lanes, 5u),
        subgroupBroadcast(lanes, 6u), subgroupBroadcast(lanes, 7u),
    );
}

