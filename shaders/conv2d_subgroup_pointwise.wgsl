// conv2d of 1 by 1 with stride 1 as a matrix product of which every term is written out, for adapters with subgroups of
// 8 where a load is dear: four quads of pixels serve up to 32 channels, DEPTH summed channels at a time.
//
// forward:        y = relu(bias + w^T x)
// backward input: grad_x = w dy, zero where the ReLU before (relu_mask) was closed.
//
// source: x (n, x_channels, h, w) or dy (n, y_channels, h, w); output: y or grad_x; bias (c_out); relu_mask
// (n, mask_channels, h, w); w (1, 1, c_in, c_out). Planes are multiples of 4 pixels, summed channels of DEPTH.
//
// A workgroup is one subgroup: 8 times four quads, across images, of one block of CHANNELS channels; an invocation
// owns four quads in these channels of the output.

/// Summed channels between two passes over the sums: 1 or 4.
override DEPTH: u32;

const QUADS: u32 = 4;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<vec4<f32>>;

/// The sums, by channel and quad.
alias Tile = array<Quads, CHANNELS>;

/// Quads of a plane.
fn plane_quads() -> u32 {
    return params.h_in * params.w_in / 4u;
}

fn place_of(walk: Walk, group: u32, lane: u32) -> Place {
    let blocks = channel_blocks(walk);
    return Place(group % blocks * CHANNELS, (group / blocks * 8u + lane) * QUADS);
}

/// Computes four quads, every sum beginning at its channel's `start`.
fn product(walk: Walk, place: Place, start: Each, lane: u32) -> Tile {
    var tile: Tile;
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var q = 0u; q < QUADS; q += 1u) {
            tile[c][q] = vec4<f32>(start[c]);
        }
    }
    let plane = plane_quads();
    let at = starts_of(place, walk.first, walk.stored);
    for (var d = 0u; d < walk.depth; d += DEPTH) {
        var weights: array<Each, DEPTH>;
        var pixels: array<Quads, DEPTH>;
        for (var k = 0u; k < DEPTH; k += 1u) {
            weights[k] = load_weights(walk, 0u, 0u, d + k, place.c, lane);
            for (var q = 0u; q < QUADS; q += 1u) {
                pixels[k][q] = source[at[q] + (d + k) * plane];
            }
        }
        for (var c = 0u; c < CHANNELS; c += 1u) {
            for (var q = 0u; q < QUADS; q += 1u) {
                var sum = tile[c][q];
                for (var k = 0u; k < DEPTH; k += 1u) {
                    sum += weights[k][c] * pixels[k][q];
                }
                tile[c][q] = sum;
            }
        }
    }
    return tile;
}

fn is_stored(walk: Walk, place: Place, c: u32, q: u32) -> bool {
    return (place.c + c < walk.channels) & (place.quad + q < params.n * plane_quads());
}

@compute @workgroup_size(8)
fn conv2d_forward_subgroup_pointwise(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let walk = forward_walk();
    let place = place_of(walk, workgroup_index(group, groups), lane);
    let tile = product(walk, place, load_biases(place.c, lane), lane);
    let plane = plane_quads();
    // Before the loops: these divisions cost as much as the stores.
    let to = starts_of(place, walk.to_first + place.c, walk.to_stored);
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var q = 0u; q < QUADS; q += 1u) {
            if is_stored(walk, place, c, q) {
                let sums = tile[c][q];
                output[to[q] + c * plane] = select(sums, relu4(sums), params.relu != 0u);
            }
        }
    }
}

@compute @workgroup_size(8)
fn conv2d_backward_input_subgroup_pointwise(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let walk = backward_walk();
    let place = place_of(walk, workgroup_index(group, groups), lane);
    let tile = product(walk, place, Each(), lane);
    let plane = plane_quads();
    // Before the loops: these divisions cost as much as the stores.
    let to = starts_of(place, walk.to_first + place.c, walk.to_stored);
    let masks = starts_of(place, params.mask_first + place.c, params.mask_channels);
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var q = 0u; q < QUADS; q += 1u) {
            if is_stored(walk, place, c, q) {
                var sums = tile[c][q];
                if params.relu != 0u {
                    let mask = relu_mask[masks[q] + c * plane];
                    sums = select(vec4<f32>(), sums, mask > vec4<f32>());
                }
                output[to[q] + c * plane] = sums;
            }
        }
    }
}
