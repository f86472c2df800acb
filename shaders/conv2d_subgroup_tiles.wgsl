// conv2d with kernels of TAPS by TAPS in tiles of which every product is written out: loops have the constant bounds of
// the arrays, so that compilers unroll them and keep sums, pixels and weights where they are. For adapters with
// subgroups of 8 where a load is dear, and so is every pass over the sums: a channel of the source is loaded once, in
// vectors, and spent in all taps before a sum is stored.
//
// forward:        y = relu(bias + conv(x, w))
// backward input: grad_x = the same walk over dy with the kernel turned by 180 degrees and the channels
//                 swapped, zero where the ReLU before (relu_mask) was closed; stride 1 alone.
//
// source: x (n, x_channels, h_in, w_in) or dy (n, y_channels, h_out, w_out); output: y or grad_x; bias
// (c_out); relu_mask (n, mask_channels, h_in, w_in); w (kh, kw, c_in, c_out). Widths are multiples of 4.
//
// A workgroup is one subgroup: 8 tiles of one block of CHANNELS channels; an invocation owns ROWS rows of QUADS * 4
// pixels in these channels of the output.

/// Step of the kernel over the source, and columns of padding before its first.
override STRIDE: u32;
override LEFT: u32;
/// Rows of a tile, and its columns by fours.
override ROWS: u32;
override QUADS: u32;
/// Is a tile as wide as the image, nothing lying beside it?
override WHOLE: bool;

/// Rows of the source under a tile, and their columns by fours, four before and four after among them.
const ROWS_UNDER: u32 = (ROWS - 1) * STRIDE + TAPS;
const QUADS_UNDER: u32 = QUADS * STRIDE + 2;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<vec4<f32>>;

/// A row of the source under a tile: four pixels before, its own, four after.
alias Row = array<f32, 4 * QUADS_UNDER>;
/// The sums of a tile, by channel, row and quad.
alias Tile = array<array<array<vec4<f32>, QUADS>, ROWS>, CHANNELS>;

/// Where a tile lies.
struct Place {
    n: u32,
    c: u32,
    y: u32,
    x: u32,
}

/// Four pixels of a plane; zero outside, where a coordinate wrapped or ran over.
fn four(walk: Walk, plane: u32, y: u32, x: u32) -> vec4<f32> {
    let inside = (y < walk.height) & (x < walk.width);
    let at = select(0u, ((plane + y) * walk.width + x) / 4u, inside);
    return select(vec4<f32>(), source[at], inside);
}

/// Row y of a plane under a tile, whose first pixel stands over column x.
fn load_row(walk: Walk, plane: u32, y: u32, x: u32) -> Row {
    var row: Row;
    for (var quad = 0u; quad < QUADS_UNDER; quad += 1u) {
        let is_beside = (quad == 0u) | (quad == QUADS_UNDER - 1u);
        if !(is_beside && WHOLE) {
            let pixels = four(walk, plane, y, x + quad * 4u - 4u);
            row[quad * 4u] = pixels.x;
            row[quad * 4u + 1u] = pixels.y;
            row[quad * 4u + 2u] = pixels.z;
            row[quad * 4u + 3u] = pixels.w;
        }
    }
    return row;
}

/// What a tap sees of a row under the four pixels of quad q.
fn under(row: Row, q: u32, kx: u32) -> vec4<f32> {
    let x = 4u + q * 4u * STRIDE + kx - LEFT;
    return vec4<f32>(row[x], row[x + STRIDE], row[x + 2u * STRIDE], row[x + 3u * STRIDE]);
}

/// Computes a tile, every sum beginning at its channel's `start`.
fn convolve(walk: Walk, place: Place, start: Each, lane: u32) -> Tile {
    var tile: Tile;
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var r = 0u; r < ROWS; r += 1u) {
            for (var q = 0u; q < QUADS; q += 1u) {
                tile[c][r][q] = vec4<f32>(start[c]);
            }
        }
    }
    // Tiles behind the last image read the first: their sums are not stored.
    let image = select(0u, place.n, place.n < params.n);
    for (var d = 0u; d < walk.depth; d += 1u) {
        let plane = (image * walk.stored + walk.first + d) * walk.height;
        var rows: array<Row, ROWS_UNDER>;
        for (var r = 0u; r < ROWS_UNDER; r += 1u) {
            rows[r] = load_row(walk, plane, place.y * STRIDE + r - walk.top, place.x * STRIDE);
        }
        var weights: array<array<Each, TAPS>, TAPS>;
        for (var ky = 0u; ky < TAPS; ky += 1u) {
            for (var kx = 0u; kx < TAPS; kx += 1u) {
                weights[ky][kx] = load_weights(walk, ky, kx, d, place.c, lane);
            }
        }
        for (var r = 0u; r < ROWS; r += 1u) {
            for (var q = 0u; q < QUADS; q += 1u) {
                for (var c = 0u; c < CHANNELS; c += 1u) {
                    var sum = tile[c][r][q];
                    for (var ky = 0u; ky < TAPS; ky += 1u) {
                        for (var kx = 0u; kx < TAPS; kx += 1u) {
                            sum += weights[ky][kx][c] * under(rows[r * STRIDE + ky], q, kx);
                        }
                    }
                    tile[c][r][q] = sum;
                }
            }
        }
    }
    return tile;
}

/// The tile of a lane: behind channel blocks, columns are fastest in the grid, then rows.
fn place_of(walk: Walk, group: u32, lane: u32) -> Place {
    let columns = (walk.to_width + QUADS * 4u - 1u) / (QUADS * 4u);
    let strips = (walk.to_height + ROWS - 1u) / ROWS;
    let tile = group / channel_blocks(walk) * 8u + lane;
    return Place(
        tile / columns / strips, group % channel_blocks(walk) * CHANNELS,
        tile / columns % strips * ROWS, tile % columns * QUADS * 4u,
    );
}

/// Index of quad q of row r of the place's channel c, of which `channels` from `first` on are stored.
fn index(walk: Walk, place: Place, c: u32, r: u32, q: u32, channels: u32, first: u32) -> u32 {
    let plane = place.n * channels + first + place.c + c;
    return ((plane * walk.to_height + place.y + r) * walk.to_width + place.x) / 4u + q;
}

/// Does the output have that quad?
fn is_stored(walk: Walk, place: Place, c: u32, r: u32, q: u32) -> bool {
    let has_channel = (place.n < params.n) & (place.c + c < walk.channels);
    return has_channel & (place.y + r < walk.to_height) & (place.x + q * 4u < walk.to_width);
}

@compute @workgroup_size(8)
fn conv2d_forward_subgroup_tiles(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let walk = forward_walk();
    let place = place_of(walk, workgroup_index(group, groups), lane);
    let tile = convolve(walk, place, load_biases(place.c, lane), lane);
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var r = 0u; r < ROWS; r += 1u) {
            for (var q = 0u; q < QUADS; q += 1u) {
                if is_stored(walk, place, c, r, q) {
                    let sums = tile[c][r][q];
                    output[index(walk, place, c, r, q, walk.to_stored, walk.to_first)] =
                        select(sums, relu4(sums), params.relu != 0u);
                }
            }
        }
    }
}

@compute @workgroup_size(8)
fn conv2d_backward_input_subgroup_tiles(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let walk = backward_walk();
    let place = place_of(walk, workgroup_index(group, groups), lane);
    let tile = convolve(walk, place, Each(), lane);
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var r = 0u; r < ROWS; r += 1u) {
            for (var q = 0u; q < QUADS; q += 1u) {
                if is_stored(walk, place, c, r, q) {
                    var sums = tile[c][r][q];
                    if params.relu != 0u {
                        let mask = relu_mask[index(walk, place, c, r, q, params.mask_channels, params.mask_first)];
                        sums = select(vec4<f32>(), sums, mask > vec4<f32>());
                    }
                    output[index(walk, place, c, r, q, walk.to_stored, walk.to_first)] = sums;
                }
            }
        }
    }
}
