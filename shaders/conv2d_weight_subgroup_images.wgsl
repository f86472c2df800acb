// conv2d weight gradient of whole small images with stride 1, kernels of TAPS by TAPS over the middle, every product
// written out but those with padding: loops have constant bounds, so that compilers unroll them and keep all sums where
// they are. For adapters with subgroups of 8 where a load is dear, and so is every pass over the sums: an image is loaded
// once for all taps.
//
// partial[s, ky,kx,ci, co] = sum over the images n of share s and all outputs of
//     x[n,ci,oy+ky-TAPS/2,ox+kx-TAPS/2] dy[n,co,oy,ox]; the last row of a share is the bias: sum dy.
//
// x (n, x_channels, SIDE, SIDE), dy (n, y_channels, SIDE, SIDE): channel ranges from *_first on, multiples of INPUTS
// each, so that INPUTS planes begin with a vector. partial (splits, kh * kw * c_in + 1, c_out).
//
// A workgroup is one subgroup and owns all taps of 8 * INPUTS input channels, a lane of INPUTS neighbours, by CHANNELS
// output channels. It walks along the images of its share, the lane's planes in registers; dy is loaded by lanes and
// spread by broadcast.

/// Rows and columns of the kernel, and of an image.
override TAPS: u32;
override SIDE: u32;
/// Input channels of a lane, whose planes are whole vectors.
override INPUTS: u32;
/// Output channels of a workgroup.
override CHANNELS: u32;

/// Vectors of a lane's planes, and of eight lanes' share of the planes of dy.
const QUADS: u32 = INPUTS * SIDE * SIDE / 4;
const LOADS: u32 = (CHANNELS * SIDE * SIDE / 4 + 7) / 8;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

/// A plane, by row and column.
alias Plane = array<array<f32, SIDE>, SIDE>;

/// Computes the sums of the share `split` for a lane's inputs from ci and output channels from co on; where the
/// workgroup `owns_bias`, it also writes the bias gradient of the channels.
fn gradient(split: u32, ci: u32, co: u32, owns_bias: bool, lane: u32) {
    let share = (params.n + params.splits - 1u) / params.splits;
    let end = min((split + 1u) * share, params.n);
    let first = params.x_first + min(ci, params.c_in - INPUTS);
    // Behind the last vector of the buffer are none, and channels behind the last are never stored.
    let last = params.n * params.y_channels * SIDE * SIDE / 4u - 1u;
    var sums: array<array<array<array<f32, TAPS>, TAPS>, INPUTS>, CHANNELS>;
    var bias: array<f32, CHANNELS>;
    for (var n = split * share; n < end; n += 1u) {
        var vectors: array<vec4<f32>, QUADS>;
        for (var q = 0u; q < QUADS; q += 1u) {
            vectors[q] = x[(n * params.x_channels + first) * SIDE * SIDE / 4u + q];
        }
        // Planes of dy that lie one behind the other.
        var spreads: array<Eight, LOADS>;
        for (var e = 0u; e < LOADS; e += 1u) {
            let at = (n * params.y_channels + params.y_first + co) * SIDE * SIDE / 4u + e * 8u + lane;
            spreads[e] = spread(dy[min(at, last)]);
        }
        var inputs: array<Plane, INPUTS>;
        var gradients: array<Plane, CHANNELS>;
        for (var row = 0u; row < SIDE; row += 1u) {
            for (var column = 0u; column < SIDE; column += 1u) {
                for (var i = 0u; i < INPUTS; i += 1u) {
                    let place = (i * SIDE + row) * SIDE + column;
                    inputs[i][row][column] = vectors[place / 4u][place % 4u];
                }
                for (var c = 0u; c < CHANNELS; c += 1u) {
                    let place = (c * SIDE + row) * SIDE + column;
                    gradients[c][row][column] = spreads[place / 32u][place / 4u % 8u][place % 4u];
                    bias[c] += gradients[c][row][column];
                }
            }
        }
        for (var c = 0u; c < CHANNELS; c += 1u) {
            for (var i = 0u; i < INPUTS; i += 1u) {
                for (var ky = 0u; ky < TAPS; ky += 1u) {
                    for (var kx = 0u; kx < TAPS; kx += 1u) {
                        var sum = sums[c][i][ky][kx];
                        for (var y = 0u; y < SIDE; y += 1u) {
                            for (var x = 0u; x < SIDE; x += 1u) {
                                // Before the first row or column the differences wrap.
                                let row = y + ky - TAPS / 2u;
                                let column = x + kx - TAPS / 2u;
                                if row < SIDE && column < SIDE {
                                    sum += inputs[i][row][column] * gradients[c][y][x];
                                }
                            }
                        }
                        sums[c][i][ky][kx] = sum;
                    }
                }
            }
        }
    }
    for (var c = 0u; c < CHANNELS; c += 1u) {
        for (var i = 0u; i < INPUTS; i += 1u) {
            for (var ky = 0u; ky < TAPS; ky += 1u) {
                for (var kx = 0u; kx < TAPS; kx += 1u) {
                    if ci + i < params.c_in {
                        store(split, (ky * TAPS + kx) * params.c_in + ci + i, co + c, sums[c][i][ky][kx]);
                    }
                }
            }
        }
        if owns_bias {
            store(split, TAPS * TAPS * params.c_in, co + c, bias[c]);
        }
    }
}

@compute @workgroup_size(8)
fn conv2d_backward_weight_subgroup_images(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let i = workgroup_index(group, groups);
    let channel_blocks = (params.c_out + CHANNELS - 1u) / CHANNELS;
    let input_blocks = (params.c_in + INPUTS * 8u - 1u) / (INPUTS * 8u);
    let block = i / channel_blocks % input_blocks;
    let split = i / channel_blocks / input_blocks;
    // A folded grid has workgroups behind the last share.
    if split < params.splits {
        gradient(split, (block * 8u + lane) * INPUTS, i % channel_blocks * CHANNELS, (block == 0u) & (lane == 0u), lane);
    }
}
