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

/// Rows and columns of an image.
override SIDE: u32;

/// Rows and columns of zeros around it.
const PADDING: u32 = TAPS / 2;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<f32>;

/// A plane of an image, by rows, and one with zeros around it.
alias Plane = array<array<f32, SIDE>, SIDE>;
alias Padded = array<array<f32, SIDE + 2 * PADDING>, SIDE + 2 * PADDING>;
/// Those of a block of channels.
alias Planes = array<Plane, CHANNELS>;

fn load_padded(plane: u32) -> Padded {
    var loaded: Padded;
    for (var y = 0u; y < SIDE; y += 1u) {
        for (var x = 0u; x < SIDE; x += 1u) {
            loaded[y + PADDING][x + PADDING] = source[(plane * SIDE + y) * SIDE + x];
        }
    }
    return loaded;
}

/// Computes the planes of an image, every sum beginning at its channel's `start`.
fn convolve(walk: Walk, image: u32, c0: u32, start: Each, lane: u32) -> Planes {
    var planes: Planes;
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var y = 0u; y < SIDE; y += 1u) {
            for (var x = 0u; x < SIDE; x += 1u) {
                planes[c][y][x] = start[c];
            }
        }
    }
    // Lanes behind the last image read the last: their sums are not stored.
    let first = min(image, params.n - 1u) * walk.stored + walk.first;
    for (var d = 0u; d < walk.depth; d += 1u) {
        let plane = load_padded(first + d);
        var weights: array<array<Each, TAPS>, TAPS>;
        for (var ky = 0u; ky < TAPS; ky += 1u) {
            for (var kx = 0u; kx < TAPS; kx += 1u) {
                weights[ky][kx] = load_weights(walk, ky, kx, d, c0, lane);
            }
        }
        for (var c = 0u; c < CHANNELS; c += 1u) {
            for (var y = 0u; y < SIDE; y += 1u) {
                for (var x = 0u; x < SIDE; x += 1u) {
                    var sum = planes[c][y][x];
                    for (var ky = 0u; ky < TAPS; ky += 1u) {
                        for (var kx = 0u; kx < TAPS; kx += 1u) {
                            sum += weights[ky][kx][c] * plane[y + ky][x + kx];
                        }
                    }
                    planes[c][y][x] = sum;
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

/// Does the output have channel c of the block from c0 on?
fn is_stored(walk: Walk, image: u32, c0: u32, c: u32) -> bool {
    return (image < params.n) & (c0 + c < walk.channels);
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
    let planes = convolve(walk, image, c0, load_biases(c0, lane), lane);
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var y = 0u; y < SIDE; y += 1u) {
            for (var x = 0u; x < SIDE; x += 1u) {
                if is_stored(walk, image, c0, c) {
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
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var y = 0u; y < SIDE; y += 1u) {
            for (var x = 0u; x < SIDE; x += 1u) {
                if is_stored(walk, image, c0, c) {
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
