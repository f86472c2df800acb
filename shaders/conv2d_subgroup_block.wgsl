// What the convolutions whose products are written out share: the biases and weights of a block of channels, spread
// through a subgroup of 8.
//
// They need the walk, and of the kernel's own text `w` (kh, kw, c_in, c_out) and `bias` (c_out).

/// Rows and columns of the kernel.
override TAPS: u32;
/// Channels of the output that an invocation sums: a multiple of 8.
override CHANNELS: u32;

/// A number for each of them.
alias Each = array<f32, CHANNELS>;

/// Blocks of channels: they are fastest in the grid.
fn channel_blocks(walk: Walk) -> u32 {
    return (walk.channels + CHANNELS - 1u) / CHANNELS;
}

/// What the eight lanes have, from element e on.
fn spread(lanes: f32, each: ptr<function, Each>, e: u32) {
    (*each)[e] = subgroupBroadcast(lanes, 0u);
    (*each)[e + 1u] = subgroupBroadcast(lanes, 1u);
    (*each)[e + 2u] = subgroupBroadcast(lanes, 2u);
    (*each)[e + 3u] = subgroupBroadcast(lanes, 3u);
    (*each)[e + 4u] = subgroupBroadcast(lanes, 4u);
    (*each)[e + 5u] = subgroupBroadcast(lanes, 5u);
    (*each)[e + 6u] = subgroupBroadcast(lanes, 6u);
    (*each)[e + 7u] = subgroupBroadcast(lanes, 7u);
}

/// The biases of the channels from c on; behind the last channel stands its bias again.
fn load_biases(c: u32, lane: u32) -> Each {
    var biases: Each;
    for (var e = 0u; e < CHANNELS; e += 8u) {
        spread(bias[min(c + e + lane, params.c_out - 1u)], &biases, e);
    }
    return biases;
}

/// The weights of tap (ky, kx) between summed channel d and the channels from c on; behind the last channel stands
/// its weight again: what comes of it is not stored.
fn load_weights(walk: Walk, ky: u32, kx: u32, d: u32, c: u32, lane: u32) -> Each {
    var weights: Each;
    for (var e = 0u; e < CHANNELS; e += 8u) {
        let channel = min(c + e + lane, walk.channels - 1u);
        var at = ((ky * TAPS + kx) * params.c_in + d) * params.c_out + channel;
        if walk.backward {
            at = ((TAPS * TAPS - 1u - ky * TAPS - kx) * params.c_in + channel) * params.c_out + d;
        }
        spread(w[at], &weights, e);
    }
    return weights;
}
