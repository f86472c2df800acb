// What the weight gradients whose products are written out share: what a subgroup of 8 has loaded, spread to all of its
// lanes, and the place of a sum.
//
// They need of the kernel's own text: `partial` (splits, kh * kw * c_in + 1, c_out).

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

/// Stores a sum of share `split`; channels behind the last have none.
fn store(split: u32, row: u32, co: u32, value: f32) {
    if co < params.c_out {
        let rows = params.kh * params.kw * params.c_in + 1u;
        partial[(split * rows + row) * params.c_out + co] = value;
    }
}
