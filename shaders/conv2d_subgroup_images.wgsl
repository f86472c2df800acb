// conv2d of small square images as a whole, SIDE by SIDE pixels, kernels of TAPS by TAPS, stride 1 and 'same' padding:
// every product of an image is written out. For adapters with subgroups of 8 where a load is dear.
//
// forward:        y = relu(bias + conv(x, w))
// backward input: grad_x = the same walk over dy with the kernel turned by 180 degrees and the channels
//                 swapped, zero where the ReLU before (relu_mask) was closed.
//
// source: x (n, x_channels, SIDE, SIDE) or dy (n, y_channels, SIDE, SIDE); output: y or grad_x; bias (c_out);
// relu_mask (n, mask_channels, SIDE, SIDE); w (kh, kw, c_in, c_out).
//
// A workgroup is one subgroup: 8 images in one block of CHANNELS channels; an invocation owns an image in these
// channels of the output.

/// Rows and columns of an image: at most MOST_SIDE.
override SIDE: u32;

const MOST_TAPS: u32 = 5;
const MOST_CHANNELS: u32 = 16;
const MOST_SIDE: u32 = 6;
/// Rows and columns of padding that planes are held with, as the largest kernel needs them.
const PADDING: u32 = MOST_TAPS / 2;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<f32>;

/// A plane of an image, by rows, and one with zeros around it.
alias Plane = array<array<f32, MOST_SIDE>, MOST_SIDE>;
alias Padded = array<array<f32, MOST_SIDE + 2 * PADDING>, MOST_SIDE + 2 * PADDING>;
/// Those of a block of channels.
alias Planes = array<Plane, MOST_CHANNELS>;

fn load_padded(plane: u32) -> Padded {
    var loaded: Padded;
    for (var y = 0u; y < MOST_SIDE; y += 1u) {
        for (var x = 0u; x < MOST_SIDE; x += 1u) {
            if y < SIDE && x < SIDE {
                loaded[y + PADDING][x + PADDING] = source[(plane * SIDE + y) * SIDE + x];
            }
        }
    }
    return loaded;
}

/// Computes the planes of an image, every sum beginning at its channel's `start`.
fn convolve(walk: Walk, image: u32, c0: u32, start: Each, lane: u32) -> Planes {
    var planes: Planes;
    for (var c = 0u; c < MOST_CHANNELS; c += 1u) {
        for (var y = 0u; y < MOST_SIDE; y += 1u) {
            for (var x = 0u; x < MOST_SIDE; x += 1u) {
                planes[c][y][x] = start[c];
            }
        }
    }
    // Lanes behind the last image read the last: their sums are not stored.
    let first = min(image, params.n - 1u) * walk.stored + walk.first;
    for (var d = 0u; d < walk.depth; d += 1u) {
        let plane = load_padded(first + d);
        var weights: array<array<Each, MOST_TAPS>, MOST_TAPS>;
        for (var ky = 0u; ky < MOST_TAPS; ky += 1u) {
            for (var kx = 0u; kx < MOST_TAPS; kx += 1u) {
                if ky < TAPS && kx < TAPS {
                    weights[ky][kx] = load_weights(walk, ky, kx, d, c0, lane);
                }
            }
        }
        for (var c = 0u; c < MOST_CHANNELS; c += 1u) {
            for (var y = 0u; y < MOST_SIDE; y += 1u) {
                for (var x = 0u; x < MOST_SIDE; x += 1u) {
                    if c < CHANNELS && y < SIDE && x < SIDE {
                        var sum = planes[c][y][x];
                        for (var ky = 0u; ky < MOST_TAPS; ky += 1u) {
                            for (var kx = 0u; kx < MOST_TAPS; kx += 1u) {
                                if ky < TAPS && kx < TAPS {
                                    let row = y + ky + PADDING - TAPS / 2u;
                                    sum += weights[ky][kx][c] * plane[row][x + kx + PADDING - TAPS / 2u];
                                }
                            }
                        }
                        planes[c][y][x] = sum;
                    }
                }
            }
        }
    }
    return planes;
}

/// Index of a pixel of channel c, of which `channels` are stored.
fn index(image: u32, c: u32, channels: u32, y: u32, x: u32) -> u32 {
    return ((image * channels + c) * SIDE + y) * SIDE + x;
}

/// Does an image have that pixel in channel c of the block from c0 on, and the output?
fn is_stored(walk: Walk, image: u32, c0: u32, c: u32, y: u32, x: u32) -> bool {
    return (c < CHANNELS) & (y < SIDE) & (x < SIDE) & (image < params.n) & (c0 + c < walk.channels);
}

@compute @workgroup_size(8)
fn conv2d_forward_subgroup_images(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let walk = forward_walk();
    let i = workgroup_index(group, groups);
    let image = i / channel_blocks(walk) * 8u + lane;
    let c0 = i % channel_blocks(walk) * CHANNELS;
    var biases: Each;
    for (var e = 0u; e < MOST_CHANNELS; e += 8u) {
        if e < CHANNELS {
            spread(bias[min(c0 + e + lane, params.c_out - 1u)], &biases, e);
        }
    }
    let planes = convolve(walk, image, c0, biases, lane);
    for (var c = 0u; c < MOST_CHANNELS; c += 1u) {
        for (var y = 0u; y < MOST_SIDE; y += 1u) {
            for (var x = 0u; x < MOST_SIDE; x += 1u) {
                if is_stored(walk, image, c0, c, y, x) {
                    let sum = planes[c][y][x];
                    output[index(image, walk.to_first + c0 + c, walk.to_stored, y, x)] =
                        select(sum, relu(sum), params.relu != 0u);
                }
            }
        }
    }
}

@compute @workgroup_size(8)
fn conv2d_backward_input_subgroup_images(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let walk = backward_walk();
    let i = workgroup_index(group, groups);
    let image = i / channel_blocks(walk) * 8u + lane;
    let c0 = i % channel_blocks(walk) * CHANNELS;
    let planes = convolve(walk, image, c0, Each(), lane);
    for (var c = 0u; c < MOST_CHANNELS; c += 1u) {
        for (var y = 0u; y < MOST_SIDE; y += 1u) {
            for (var x = 0u; x < MOST_SIDE; x += 1u) {
                if is_stored(walk, image, c0, c, y, x) {
                    var sum = planes[c][y][x];
                    if params.relu != 0u {
                        let mask = relu_mask[index(image, params.mask_first + c0 + c, params.mask_channels, y, x)];
                        sum = select(0.0, sum, mask > 0.0);
                    }
                    output[index(image, walk.to_first + c0 + c, walk.to_stored, y, x)] = sum;
                }
            }
        }
    }
}
