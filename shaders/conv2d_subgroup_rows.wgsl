// conv2d with stride 1 and 'same' columns (TAPS = kw wide, TAPS / 2 of padding on the left) in register
// tiles whose rows are loaded in vectors; weights are shared by subgroup broadcast. For adapters with
// subgroups of 8 where a load by single lanes is dear: a row of pixels, six loads of vectors, serves all
// of a tile's taps, and is kept for the row of outputs above.
//
// forward:        y = relu(bias + conv(x, w))
// backward input: grad_x = the same walk over dy with the kernel turned by 180 degrees and the channels
//                 swapped, zero where the ReLU before (relu_mask) was closed.
//
// source: x (n, x_channels, h_in, w_in) or dy (n, y_channels, h_out, w_out); output: y or grad_x; bias
// (c_out); relu_mask (n, mask_channels, h_in, w_in); w (kh, kw, c_in, c_out). Widths are multiples of 4.
//
// A workgroup is one subgroup: 8 tiles of one block of ten channels; an invocation owns 16 pixels of 2
// rows in the ten channels of the output.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<vec4<f32>>;

/// Four pixels of ten channels.
struct Tile {
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

/// Sixteen pixels of two rows.
struct Block {
    top_0: Tile,
    top_1: Tile,
    top_2: Tile,
    top_3: Tile,
    bottom_0: Tile,
    bottom_1: Tile,
    bottom_2: Tile,
    bottom_3: Tile,
}

/// The block without its first tile. To end, a loop shifts the tiles past the same few lines of code:
/// written out, those would take compilers seconds.
fn shift(block: Block) -> Block {
    return Block(
        block.top_1, block.top_2, block.top_3, block.bottom_0,
        block.bottom_1, block.bottom_2, block.bottom_3, Tile(),
    );
}

/// One number for each tap of a row of the kernel.
struct Taps {
    t0: f32,
    t1: f32,
    t2: f32,
    t3: f32,
    t4: f32,
}

/// A row of the kernel for ten channels.
struct Kernel {
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

/// The pixels under a tile's row: four before, sixteen, four after.
struct Row {
    before: vec4<f32>,
    p0: vec4<f32>,
    p1: vec4<f32>,
    p2: vec4<f32>,
    p3: vec4<f32>,
    after: vec4<f32>,
}

/// Where a tile lies.
struct Place {
    n: u32,
    c: u32,
    y: u32,
    x: u32,
}

/// Ten weights of each tap, by lanes: channels 0 to 7 of each, then 8 and 9 of four taps, then of the last.
struct Loaded {
    t0: f32,
    t1: f32,
    t2: f32,
    t3: f32,
    t4: f32,
    rest: f32,
    last: f32,
}

/// Loads row ky of the kernel between summed channel d and the `walk`'s channels from c on; those behind
/// the last channel are never stored.
fn load_kernel(walk: Walk, ky: u32, d: u32, c: u32, lane: u32) -> Loaded {
    let pairs = params.c_in * params.c_out;
    let count = walk.channels - c;
    var at = (ky * TAPS * params.c_in + d) * params.c_out + c;
    var step = 1u;
    var tap = pairs;
    if walk.backward {
        at = ((params.kh - ky) * TAPS - 1u) * pairs + c * params.c_out + d;
        step = params.c_out;
        tap = 0u - pairs;
    }
    let low = at + min(lane, count - 1u) * step;
    let high = at + min(8u + lane % 2u, count - 1u) * step;
    var loaded = Loaded();
    loaded.t0 = w[low];
    if TAPS > 1u {
        loaded.t1 = w[low + tap];
        loaded.t2 = w[low + 2u * tap];
    }
    if TAPS > 3u {
        loaded.t3 = w[low + 3u * tap];
        loaded.t4 = w[low + 4u * tap];
        loaded.last = w[high + 4u * tap];
    }
    loaded.rest = w[high + min(lane / 2u, TAPS - 1u) * tap];
    return loaded;
}

fn kernel_row(l: Loaded) -> Kernel {
    let four = vec4<f32>(l.t0, l.t1, l.t2, l.t3);
    let c0 = subgroupBroadcast(four, 0u);
    let c1 = subgroupBroadcast(four, 1u);
    let c2 = subgroupBroadcast(four, 2u);
    let c3 = subgroupBroadcast(four, 3u);
    let c4 = subgroupBroadcast(four, 4u);
    let c5 = subgroupBroadcast(four, 5u);
    let c6 = subgroupBroadcast(four, 6u);
    let c7 = subgroupBroadcast(four, 7u);
    return Kernel(
        Taps(c0.x, c0.y, c0.z, c0.w, subgroupBroadcast(l.t4, 0u)),
        Taps(c1.x, c1.y, c1.z, c1.w, subgroupBroadcast(l.t4, 1u)),
        Taps(c2.x, c2.y, c2.z, c2.w, subgroupBroadcast(l.t4, 2u)),
        Taps(c3.x, c3.y, c3.z, c3.w, subgroupBroadcast(l.t4, 3u)),
        Taps(c4.x, c4.y, c4.z, c4.w, subgroupBroadcast(l.t4, 4u)),
        Taps(c5.x, c5.y, c5.z, c5.w, subgroupBroadcast(l.t4, 5u)),
        Taps(c6.x, c6.y, c6.z, c6.w, subgroupBroadcast(l.t4, 6u)),
        Taps(c7.x, c7.y, c7.z, c7.w, subgroupBroadcast(l.t4, 7u)),
        Taps(
            subgroupBroadcast(l.rest, 0u), subgroupBroadcast(l.rest, 2u),
            subgroupBroadcast(l.rest, 4u), subgroupBroadcast(l.rest, 6u), subgroupBroadcast(l.last, 0u),
        ),
        Taps(
            subgroupBroadcast(l.rest, 1u), subgroupBroadcast(l.rest, 3u),
            subgroupBroadcast(l.rest, 5u), subgroupBroadcast(l.rest, 7u), subgroupBroadcast(l.last, 1u),
        ),
    );
}

/// Four pixels of a plane; zero outside, where a coordinate wrapped or ran over.
fn four(walk: Walk, plane: u32, y: u32, x: u32) -> vec4<f32> {
    let inside = (y < walk.height) & (x < walk.width);
    let at = select(0u, ((plane + y) * walk.width + x) / 4u, inside);
    return select(vec4<f32>(), source[at], inside);
}

fn load_row(walk: Walk, plane: u32, y: u32, x: u32) -> Row {
    var row = Row();
    row.p0 = four(walk, plane, y, x);
    row.p1 = four(walk, plane, y, x + 4u);
    row.p2 = four(walk, plane, y, x + 8u);
    row.p3 = four(walk, plane, y, x + 12u);
    if TAPS > 1u {
        row.before = four(walk, plane, y, x - 4u);
        row.after = four(walk, plane, y, x + 16u);
    }
    return row;
}

/// Adds one row of the kernel, taps behind TAPS being no code at all.
fn weigh(sum: vec4<f32>, taps: Taps, pixels: Pixels) -> vec4<f32> {
    var weighed = sum + taps.t0 * pixels.t0;
    if TAPS > 1u {
        weighed = weighed + taps.t1 * pixels.t1 + taps.t2 * pixels.t2;
    }
    if TAPS > 3u {
        weighed = weighed + taps.t3 * pixels.t3 + taps.t4 * pixels.t4;
    }
    return weighed;
}

fn accumulate(tile: ptr<function, Tile>, kernel: Kernel, pixels: Pixels) {
    (*tile).c0 = weigh((*tile).c0, kernel.c0, pixels);
    (*tile).c1 = weigh((*tile).c1, kernel.c1, pixels);
    (*tile).c2 = weigh((*tile).c2, kernel.c2, pixels);
    (*tile).c3 = weigh((*tile).c3, kernel.c3, pixels);
    (*tile).c4 = weigh((*tile).c4, kernel.c4, pixels);
    (*tile).c5 = weigh((*tile).c5, kernel.c5, pixels);
    (*tile).c6 = weigh((*tile).c6, kernel.c6, pixels);
    (*tile).c7 = weigh((*tile).c7, kernel.c7, pixels);
    (*tile).c8 = weigh((*tile).c8, kernel.c8, pixels);
    (*tile).c9 = weigh((*tile).c9, kernel.c9, pixels);
}

/// Computes a block, every sum beginning at its channel's `start`.
fn convolve(walk: Walk, place: Place, start: Tile, lane: u32) -> Block {
    var top_0 = start;
    var top_1 = start;
    var top_2 = start;
    var top_3 = start;
    var bottom_0 = start;
    var bottom_1 = start;
    var bottom_2 = start;
    var bottom_3 = start;
    // Tiles behind the last image read the first: their sums are not stored.
    let image = select(0u, place.n, place.n < params.n);
    for (var d = 0u; d < walk.depth; d += 1u) {
        let plane = (image * walk.stored + walk.first + d) * walk.height;
        var upper = load_row(walk, plane, place.y - walk.top, place.x);
        for (var ky = 0u; ky < params.kh; ky += 1u) {
            let lower = load_row(walk, plane, place.y + ky + 1u - walk.top, place.x);
            let kernel = kernel_row(load_kernel(walk, ky, d, place.c, lane));
            accumulate(&top_0, kernel, under_taps(upper.before, upper.p0, upper.p1));
            accumulate(&top_1, kernel, under_taps(upper.p0, upper.p1, upper.p2));
            accumulate(&top_2, kernel, under_taps(upper.p1, upper.p2, upper.p3));
            accumulate(&top_3, kernel, under_taps(upper.p2, upper.p3, upper.after));
            accumulate(&bottom_0, kernel, under_taps(lower.before, lower.p0, lower.p1));
            accumulate(&bottom_1, kernel, under_taps(lower.p0, lower.p1, lower.p2));
            accumulate(&bottom_2, kernel, under_taps(lower.p1, lower.p2, lower.p3));
            accumulate(&bottom_3, kernel, under_taps(lower.p2, lower.p3, lower.after));
            upper = lower;
        }
    }
    return Block(top_0, top_1, top_2, top_3, bottom_0, bottom_1, bottom_2, bottom_3);
}

/// The tile of a lane: ten channels are fastest in the grid, then columns, then pairs of rows.
fn place_of(walk: Walk, group: u32, lane: u32) -> Place {
    let channel_blocks = (walk.channels + 9u) / 10u;
    let blocks = (walk.width + 15u) / 16u;
    let pairs = (walk.to_height + 1u) / 2u;
    let tile = group / channel_blocks * 8u + lane;
    return Place(
        tile / blocks / pairs, group % channel_blocks * 10u,
        tile / blocks % pairs * 2u, tile % blocks * 16u,
    );
}

/// The bias of ten channels from c on, in every pixel.
fn biases(c: u32, lane: u32) -> Tile {
    let low = bias[min(c + lane, params.c_out - 1u)];
    let high = bias[min(c + 8u + lane, params.c_out - 1u)];
    return Tile(
        vec4<f32>(subgroupBroadcast(low, 0u)), vec4<f32>(subgroupBroadcast(low, 1u)),
        vec4<f32>(subgroupBroadcast(low, 2u)), vec4<f32>(subgroupBroadcast(low, 3u)),
        vec4<f32>(subgroupBroadcast(low, 4u)), vec4<f32>(subgroupBroadcast(low, 5u)),
        vec4<f32>(subgroupBroadcast(low, 6u)), vec4<f32>(subgroupBroadcast(low, 7u)),
        vec4<f32>(subgroupBroadcast(high, 0u)), vec4<f32>(subgroupBroadcast(high, 1u)),
    );
}

/// Rows of a block that the output has.
fn rows_stored(walk: Walk, place: Place) -> u32 {
    return select(0u, min(2u, walk.to_height - place.y), place.n < params.n);
}

/// Does the output have four pixels there, in channel `c` of the place's ten?
fn stored(walk: Walk, place: Place, c: u32) -> bool {
    return (place.c + c < walk.channels) & (place.x < walk.width);
}

/// Index of four pixels of channel c, of which `channels` from `first` on are stored.
fn index(walk: Walk, place: Place, c: u32, channels: u32, first: u32) -> u32 {
    let plane = place.n * channels + first + place.c + c;
    return ((plane * walk.to_height + place.y) * walk.width + place.x) / 4u;
}

fn store_y(walk: Walk, place: Place, c: u32, sums: vec4<f32>) {
    if stored(walk, place, c) {
        output[index(walk, place, c, walk.to_stored, walk.to_first)] =
            select(sums, relu4(sums), params.relu != 0u);
    }
}

fn store_y_tile(walk: Walk, place: Place, tile: Tile) {
    store_y(walk, place, 0u, tile.c0);
    store_y(walk, place, 1u, tile.c1);
    store_y(walk, place, 2u, tile.c2);
    store_y(walk, place, 3u, tile.c3);
    store_y(walk, place, 4u, tile.c4);
    store_y(walk, place, 5u, tile.c5);
    store_y(walk, place, 6u, tile.c6);
    store_y(walk, place, 7u, tile.c7);
    store_y(walk, place, 8u, tile.c8);
    store_y(walk, place, 9u, tile.c9);
}

fn store_grad_x(walk: Walk, place: Place, c: u32, sums: vec4<f32>) {
    if stored(walk, place, c) {
        var value = sums;
        if params.relu != 0u {
            let mask = relu_mask[index(walk, place, c, params.mask_channels, params.mask_first)];
            value = select(vec4<f32>(), sums, mask > vec4<f32>());
        }
        output[index(walk, place, c, walk.to_stored, walk.to_first)] = value;
    }
}

fn store_grad_x_tile(walk: Walk, place: Place, tile: Tile) {
    store_grad_x(walk, place, 0u, tile.c0);
    store_grad_x(walk, place, 1u, tile.c1);
    store_grad_x(walk, place, 2u, tile.c2);
    store_grad_x(walk, place, 3u, tile.c3);
    store_grad_x(walk, place, 4u, tile.c4);
    store_grad_x(walk, place, 5u, tile.c5);
    store_grad_x(walk, place, 6u, tile.c6);
    store_grad_x(walk, place, 7u, tile.c7);
    store_grad_x(walk, place, 8u, tile.c8);
    store_grad_x(walk, place, 9u, tile.c9);
}

/// Where tile i of a block lies.
fn tile_place(place: Place, i: u32) -> Place {
    return Place(place.n, place.c, place.y + i / 4u, place.x + i % 4u * 4u);
}

@compute @workgroup_size(8)
fn conv2d_forward_subgroup_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let walk = forward_walk();
    let place = place_of(walk, workgroup_index(group, groups), lane);
    var block = convolve(walk, place, biases(place.c, lane), lane);
    for (var i = 0u; i < rows_stored(walk, place) * 4u; i += 1u) {
        store_y_tile(walk, tile_place(place, i), block.top_0);
        block = shift(block);
    }
}

@compute @workgroup_size(8)
fn conv2d_backward_input_subgroup_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let walk = backward_walk();
    let place = place_of(walk, workgroup_index(group, groups), lane);
    var block = convolve(walk, place, Tile(), lane);
    for (var i = 0u; i < rows_stored(walk, place) * 4u; i += 1u) {
        store_grad_x_tile(walk, tile_place(place, i), block.top_0);
        block = shift(block);
    }
}
