// pointwise_backward_sum (pointwise_backward_sum.wgsl) with every product of a step written out, for adapters with
// subgroups of 8 where a load is dear, and a store more so: what several convolutions contribute is stored once.
//
// grad_x[n,c,p] = other[n,c,p] + sum over d of w_a[c,d] dy_a[n,d,p], and likewise of b and c; zero where the ReLU before
//     (relu_mask) was closed.
//
// dy_a (n, a_channels, pixels) and likewise dy_b and dy_c; w: their kernels (channels, depth), from word w_a, w_b and w_c
// on; other (n, other_channels, pixels), relu_mask (n, mask_channels, pixels), grad_x (n, x_channels, pixels). Pixels,
// depths and the places of kernels are multiples of 4.
//
// A workgroup is one subgroup: 8 times QUADS quads of pixels, across images, of one block of CHANNELS channels; an
// invocation owns QUADS of them in these channels.

/// Channels that an invocation sums: a multiple of 8.
override CHANNELS: u32;

/// Quads of a lane.
override QUADS: u32;
/// Summed channels between two passes over the sums.
const DEPTH: u32 = 4;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy_a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy_b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy_c: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> other: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> relu_mask: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> grad_x: array<vec4<f32>>;

/// The sums, by channel and quad.
alias Tile = array<Quads, CHANNELS>;
/// What is multiplied in a step: quads by summed channel, and the weights of each of the tile's channels.
alias Pixels = array<Quads, DEPTH>;
alias Weights = array<vec4<f32>, CHANNELS>;

/// Quads of a plane.
fn plane_quads() -> u32 {
    return params.pixels / 4u;
}

/// The weights of four summed channels from d on, of a kernel that has `depth` and begins at word `first`; behind the
/// last channel stand its weights again: what comes of them is not stored.
fn load_weights(first: u32, depth: u32, d: u32, c: u32, lane: u32) -> Weights {
    var weights: Weights;
    for (var e = 0u; e < CHANNELS; e += 8u) {
        let channel = min(c + e + lane, params.channels - 1u);
        let own = spread(w[(first + channel * depth + d) / 4u]);
        for (var i = 0u; i < 8u; i += 1u) {
            weights[e + i] = own[i];
        }
    }
    return weights;
}

fn add_products(tile: ptr<function, Tile>, weights: Weights, pixels: Pixels) {
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var q = 0u; q < QUADS; q += 1u) {
            var sum = (*tile)[c][q];
            for (var k = 0u; k < DEPTH; k += 1u) {
                sum += weights[c][k] * pixels[k][q];
            }
            (*tile)[c][q] = sum;
        }
    }
}

/// Each convolution has a loop of its own, for each has a buffer, which no function can be handed.
fn sums_of(place: Place, lane: u32) -> Tile {
    let plane = plane_quads();
    var tile: Tile;
    var pixels: Pixels;
    let a = starts_of(place, params.a_first, params.a_channels);
    for (var d = 0u; d < params.depth_a; d += DEPTH) {
        for (var k = 0u; k < DEPTH; k += 1u) {
            for (var q = 0u; q < QUADS; q += 1u) {
                pixels[k][q] = dy_a[a[q] + (d + k) * plane];
            }
        }
        add_products(&tile, load_weights(params.w_a, params.depth_a, d, place.c, lane), pixels);
    }
    let b = starts_of(place, params.b_first, params.b_channels);
    for (var d = 0u; d < params.depth_b; d += DEPTH) {
        for (var k = 0u; k < DEPTH; k += 1u) {
            for (var q = 0u; q < QUADS; q += 1u) {
                pixels[k][q] = dy_b[b[q] + (d + k) * plane];
            }
        }
        add_products(&tile, load_weights(params.w_b, params.depth_b, d, place.c, lane), pixels);
    }
    let c = starts_of(place, params.c_first, params.c_channels);
    for (var d = 0u; d < params.depth_c; d += DEPTH) {
        for (var k = 0u; k < DEPTH; k += 1u) {
            for (var q = 0u; q < QUADS; q += 1u) {
                pixels[k][q] = dy_c[c[q] + (d + k) * plane];
            }
        }
        add_products(&tile, load_weights(params.w_c, params.depth_c, d, place.c, lane), pixels);
    }
    return tile;
}

@compute @workgroup_size(8)
fn pointwise_backward_sum_subgroup(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let i = workgroup_index(group, groups);
    let blocks = (params.channels + CHANNELS - 1u) / CHANNELS;
    let place = Place(i % blocks * CHANNELS, (i / blocks * 8u + lane) * QUADS);
    let tile = sums_of(place, lane);
    let plane = plane_quads();
    // Before the loops: these divisions cost as much as the stores.
    let to = starts_of(place, params.x_first + place.c, params.x_channels);
    let others = starts_of(place, params.other_first + place.c, params.other_channels);
    let masks = starts_of(place, params.mask_first + place.c, params.mask_channels);
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var q = 0u; q < QUADS; q += 1u) {
            if (place.c + c < params.channels) & (place.quad + q < params.n * plane) {
                var sum = tile[c][q];
                if params.added != 0u {
                    sum += other[others[q] + c * plane];
                }
                if params.masked != 0u {
                    sum = select(vec4<f32>(), sum, relu_mask[masks[q] + c * plane] > vec4<f32>());
                }
                grad_x[to[q] + c * plane] = sum;
            }
        }
    }
}
