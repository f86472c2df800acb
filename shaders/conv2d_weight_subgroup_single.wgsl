// conv2d weight gradient where input channels are few, kernels of TAPS by TAPS at stride STRIDE, (TAPS - STRIDE) / 2 of
// padding on the left, every product of a step written out: its loops have constant bounds, so that compilers unroll them
// and keep all sums where they are. For adapters with subgroups of 8 where a load is dear: lanes are output channels, and
// what all of them need of x is loaded by lanes and spread by broadcast.
//
// partial[s, ky,kx,ci, co] = sum over the images n of share s and all outputs of
//     x[n,ci,oy*STRIDE+ky-top,ox*STRIDE+kx-left] dy[n,co,oy,ox]; the last row of a share is the bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out): channel ranges from *_first on, widths
// multiples of 4. partial (splits, kh * kw * c_in + 1, c_out).
//
// A workgroup is one subgroup and owns all taps of one input channel by 16 output channels; a lane owns two of those. It
// walks along the rows of its share, 24 pixels of dy in a step.

/// Rows and columns of the kernel: 1, 3, 5 or 7.
override TAPS: u32;
/// Rows and columns from output to output: 1 or 2.
override STRIDE: u32;

/// Output channels of a lane.
const OUTPUTS: u32 = 2;
/// Vectors of dy in a step.
const QUADS: u32 = 6;
/// Vectors of x beside those under the step, on either side.
const BESIDE: u32 = min(TAPS - 1, 1);
/// Loads of eight lanes that have all vectors of x that a row of the kernel meets in a step.
const LOADS: u32 = (QUADS * STRIDE + 2 * BESIDE + 7) / 8;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

/// Four pixels of a plane of x; zero outside, where a coordinate wrapped or ran over.
fn input(plane: u32, y: u32, column: u32) -> vec4<f32> {
    let inside = (y < params.h_in) & (column < params.w_in);
    let at = select(0u, ((plane + y) * params.w_in + column) / 4u, inside);
    return select(vec4<f32>(), x[at], inside);
}

/// Four pixels of row y of a plane of dy; zero behind the row.
fn output_gradient(plane: u32, y: u32, column: u32) -> vec4<f32> {
    let inside = column < params.w_out;
    let at = select(0u, ((plane + y) * params.w_out + column) / 4u, inside);
    return select(vec4<f32>(), dy[at], inside);
}

/// Computes the sums of the share `split` for input channel ci and a lane's output channels from co on.
fn gradient(split: u32, ci: u32, co: u32, lane: u32) {
    let share = (params.n + params.splits - 1u) / params.splits;
    let end = min((split + 1u) * share, params.n);
    var sums: array<array<array<f32, TAPS>, TAPS>, OUTPUTS>;
    var bias: array<f32, OUTPUTS>;
    for (var n = split * share; n < end; n += 1u) {
        let inputs = (n * params.x_channels + params.x_first + ci) * params.h_in;
        for (var y = 0u; y < params.h_out; y += 1u) {
            for (var left = 0u; left < params.w_out; left += QUADS * 4u) {
                var own: array<array<vec4<f32>, QUADS>, OUTPUTS>;
                for (var o = 0u; o < OUTPUTS; o += 1u) {
                    // Channels behind the last are summed like it and never stored.
                    let channel = params.y_first + min(co + o * 8u, params.c_out - 1u);
                    let plane = (n * params.y_channels + channel) * params.h_out;
                    for (var q = 0u; q < QUADS; q += 1u) {
                        own[o][q] = output_gradient(plane, y, left + q * 4u);
                        bias[o] = bias[o] + own[o][q].x + own[o][q].y + own[o][q].z + own[o][q].w;
                    }
                }
                for (var ky = 0u; ky < TAPS; ky += 1u) {
                    var row: array<Eight, LOADS>;
                    for (var e = 0u; e < LOADS; e += 1u) {
                        let column = left * STRIDE + (e * 8u + lane - BESIDE) * 4u;
                        row[e] = spread(input(inputs, y * STRIDE + ky - params.pad_top, column));
                    }
                    for (var o = 0u; o < OUTPUTS; o += 1u) {
                        for (var kx = 0u; kx < TAPS; kx += 1u) {
                            var sum = sums[o][ky][kx];
                            for (var q = 0u; q < QUADS; q += 1u) {
                                let first = (BESIDE + q * STRIDE) * 4u + kx - (TAPS - STRIDE) / 2u;
                                for (var i = 0u; i < 4u; i += 1u) {
                                    let at = first + i * STRIDE;
                                    sum += row[at / 32u][at / 4u % 8u][at % 4u] * own[o][q][i];
                                }
                            }
                            sums[o][ky][kx] = sum;
                        }
                    }
                }
            }
        }
    }
    for (var o = 0u; o < OUTPUTS; o += 1u) {
        for (var ky = 0u; ky < TAPS; ky += 1u) {
            for (var kx = 0u; kx < TAPS; kx += 1u) {
                store(split, (ky * TAPS + kx) * params.c_in + ci, co + o * 8u, sums[o][ky][kx]);
            }
        }
        if ci == 0u {
            store(split, TAPS * TAPS * params.c_in, co + o * 8u, bias[o]);
        }
    }
}

@compute @workgroup_size(8)
fn conv2d_backward_weight_subgroup_single(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let i = workgroup_index(group, groups);
    let channel_blocks = (params.c_out + OUTPUTS * 8u - 1u) / (OUTPUTS * 8u);
    let split = i / channel_blocks / params.c_in;
    // A folded grid has workgroups behind the last share.
    if split < params.splits {
        gradient(split, i / channel_blocks % params.c_in, i % channel_blocks * OUTPUTS * 8u + lane, lane);
    }
}
