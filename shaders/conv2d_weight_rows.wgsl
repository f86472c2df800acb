// conv2d weight gradient with stride 1 and 'same' columns (TAPS = kw wide, TAPS / 2 of padding on the
// left) in register tiles whose rows are loaded in vectors; output gradients are shared by subgroup
// broadcast. For adapters with subgroups of 8 where a load by single lanes is dear: seven loads of vectors
// serve eight pixels.
//
// partial[s, ky,kx,ci, co] = sum over the images n of share s and all outputs of
//     x[n,ci,oy+ky-top,ox+kx-left] dy[n,co,oy,ox]; the last row of a share is the bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out): channel ranges from *_first on, widths
// multiples of 4. partial (splits, kh * kw * c_in + 1, c_out).
//
// A workgroup is one subgroup and owns 16 pairs (ky, ci), all kx and ten output channels; a lane owns two
// of the pairs. It walks along the rows of its share.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

/// Sums of one output channel for each kx.
struct Taps {
    t0: f32,
    t1: f32,
    t2: f32,
    t3: f32,
    t4: f32,
}

/// The sums of a pair for ten output channels.
struct Sums {
    c0: Taps,
    c1: Taps,
    c2: Taps,
    c3: Taps,
    c4: Taps,
    c5: Taps,
    c6: Taps,
    c7: Taps,
    c8: Taps,
    c9: Taps,
}

/// Four pixels of ten channels of dy.
struct Gradients {
    c0: vec4<f32>,
    c1: vec4<f32>,
    c2: vec4<f32>,
    c3: vec4<f32>,
    c4: vec4<f32>,
    c5: vec4<f32>,
    c6: vec4<f32>,
    c7: vec4<f32>,
    c8: vec4<f32>,
    c9: vec4<f32>,
}

/// Where one pair (ky, ci) reads and writes.
struct Pair {
    inside: bool,
    ky: u32,
    ci: u32,
}

fn pair_of(index: u32) -> Pair {
    return Pair(index < params.kh * params.c_in, index / params.c_in, index % params.c_in);
}

/// Four inputs of a pair; zero outside, where a coordinate wrapped or ran over.
fn inputs(pair: Pair, n: u32, y: u32, column: u32) -> vec4<f32> {
    let row = y + pair.ky - params.pad_top;
    let inside = pair.inside & (row < params.h_in) & (column < params.w_in);
    let plane = (n * params.x_channels + params.x_first + pair.ci) * params.h_in;
    let at = select(0u, ((plane + row) * params.w_in + column) / 4u, inside);
    return select(vec4<f32>(), x[at], inside);
}

/// Four pixels of dy's channel co; zero behind the row and behind the last channel.
fn gradients(n: u32, co: u32, y: u32, column: u32) -> vec4<f32> {
    let inside = (co < params.c_out) & (column < params.w_out);
    let plane = (n * params.y_channels + params.y_first + co) * params.h_out;
    let at = select(0u, ((plane + y) * params.w_out + column) / 4u, inside);
    return select(vec4<f32>(), dy[at], inside);
}

/// Adds four pixels to one sum, in their order.
fn add_pixels(sum: f32, inputs: vec4<f32>, gradient: vec4<f32>) -> f32 {
    return sum + inputs.x * gradient.x + inputs.y * gradient.y + inputs.z * gradient.z + inputs.w * gradient.w;
}

/// Adds four pixels to the sums of one channel, taps behind TAPS being no code at all.
fn add_channel(sums: Taps, under: Pixels, gradient: vec4<f32>) -> Taps {
    var more = sums;
    more.t0 = add_pixels(sums.t0, under.t0, gradient);
    if TAPS > 1u {
        more.t1 = add_pixels(sums.t1, under.t1, gradient);
        more.t2 = add_pixels(sums.t2, under.t2, gradient);
    }
    if TAPS > 3u {
        more.t3 = add_pixels(sums.t3, under.t3, gradient);
        more.t4 = add_pixels(sums.t4, under.t4, gradient);
    }
    return more;
}

fn add_pair(sums: Sums, under: Pixels, g: Gradients) -> Sums {
    return Sums(
        add_channel(sums.c0, under, g.c0), add_channel(sums.c1, under, g.c1),
        add_channel(sums.c2, under, g.c2), add_channel(sums.c3, under, g.c3),
        add_channel(sums.c4, under, g.c4), add_channel(sums.c5, under, g.c5),
        add_channel(sums.c6, under, g.c6), add_channel(sums.c7, under, g.c7),
        add_channel(sums.c8, under, g.c8), add_channel(sums.c9, under, g.c9),
    );
}

/// Channels 0 to 7 by lanes, 8 and 9 from where they lie.
fn share_gradients(eight: vec4<f32>, c8: vec4<f32>, c9: vec4<f32>) -> Gradients {
    return Gradients(
        subgroupBroadcast(eight, 0u), subgroupBroadcast(eight, 1u),
        subgroupBroadcast(eight, 2u), subgroupBroadcast(eight, 3u),
        subgroupBroadcast(eight, 4u), subgroupBroadcast(eight, 5u),
        subgroupBroadcast(eight, 6u), subgroupBroadcast(eight, 7u),
        c8, c9,
    );
}

fn store(split: u32, row: u32, co: u32, value: f32) {
    if co < params.c_out {
        let rows = params.kh * params.kw * params.c_in + 1u;
        partial[(split * rows + row) * params.c_out + co] = value;
    }
}

fn store_channel(split: u32, owner: Pair, co: u32, sums: Taps) {
    let row = owner.ky * params.kw * params.c_in + owner.ci;
    store(split, row, co, sums.t0);
    if TAPS > 1u {
        store(split, row + params.c_in, co, sums.t1);
        store(split, row + 2u * params.c_in, co, sums.t2);
    }
    if TAPS > 3u {
        store(split, row + 3u * params.c_in, co, sums.t3);
        store(split, row + 4u * params.c_in, co, sums.t4);
    }
}

fn store_pair(split: u32, owner: Pair, co: u32, pair_sums: Sums) {
    var sums = pair_sums;
    for (var c = 0u; c < select(0u, 10u, owner.inside); c += 1u) {
        store_channel(split, owner, co + c, sums.c0);
        // The next channel's sums move up: stores written out would take compilers seconds.
        sums = Sums(
            sums.c1, sums.c2, sums.c3, sums.c4, sums.c5, sums.c6, sums.c7, sums.c8, sums.c9, Taps(),
        );
    }
}

/// Computes the sums of the share `split` for pairs `block` * 16 and on, channels from co on; the first
/// block's workgroup also writes the bias gradient of the channels.
fn gradient(split: u32, block: u32, co: u32, lane: u32) {
    let share = (params.n + params.splits - 1u) / params.splits;
    let end = min((split + 1u) * share, params.n);
    let first = pair_of(block * 16u + lane);
    let second = pair_of(block * 16u + 8u + lane);
    // Lanes hold pixels 0 to 3 of channels 8, 9, then pixels 4 to 7, and then the same again.
    let rest_channel = co + 8u + lane % 2u;
    let rest_column = lane / 2u % 2u * 4u;
    var sums = Sums();
    var more = Sums();
    var bias = 0.0;
    var rest_bias = 0.0;
    for (var n = split * share; n < end; n += 1u) {
        for (var y = 0u; y < params.h_out; y += 1u) {
            var before = vec4<f32>();
            var own = inputs(first, n, y, 0u);
            var second_before = vec4<f32>();
            var second_own = inputs(second, n, y, 0u);
            for (var ox = 0u; ox < params.w_out; ox += 8u) {
                let left = gradients(n, co + lane, y, ox);
                let right = gradients(n, co + lane, y, ox + 4u);
                let rest = gradients(n, rest_channel, y, ox + rest_column);
                bias = bias + left.x + left.y + left.z + left.w + right.x + right.y + right.z + right.w;
                rest_bias = rest_bias + rest.x + rest.y + rest.z + rest.w;
                let after = inputs(first, n, y, ox + 4u);
                let next = inputs(first, n, y, ox + 8u);
                let second_after = inputs(second, n, y, ox + 4u);
                let second_next = inputs(second, n, y, ox + 8u);
                let g = share_gradients(left, subgroupBroadcast(rest, 0u), subgroupBroadcast(rest, 1u));
                sums = add_pair(sums, under_taps(before, own, after), g);
                more = add_pair(more, under_taps(second_before, second_own, second_after), g);
                let h = share_gradients(right, subgroupBroadcast(rest, 2u), subgroupBroadcast(rest, 3u));
                sums = add_pair(sums, under_taps(own, after, next), h);
                more = add_pair(more, under_taps(second_own, second_after, second_next), h);
                before = after;
                own = next;
                second_before = second_after;
                second_own = second_next;
            }
        }
    }
    store_pair(split, first, co, sums);
    store_pair(split, second, co, more);
    if block == 0u {
        let row = params.kh * params.kw * params.c_in;
        store(split, row, co + lane, bias);
        let c8 = subgroupBroadcast(rest_bias, 0u) + subgroupBroadcast(rest_bias, 2u);
        let c9 = subgroupBroadcast(rest_bias, 1u) + subgroupBroadcast(rest_bias, 3u);
        if lane < 2u {
            store(split, row, co + 8u + lane, select(c8, c9, lane == 1u));
        }
    }
}

@compute @workgroup_size(8)
fn conv2d_backward_weight_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    // A folded grid has workgroups behind the last share: they sum nothing and store nothing.
    let i = workgroup_index(group, groups);
    let channel_blocks = (params.c_out + 9u) / 10u;
    let pair_blocks = (params.kh * params.c_in + 15u) / 16u;
    let block = i / channel_blocks % pair_blocks;
    let split = i / channel_blocks / pair_blocks;
    if split < params.splits {
        gradient(split, block, i % channel_blocks * 10u, lane);
    }
}
