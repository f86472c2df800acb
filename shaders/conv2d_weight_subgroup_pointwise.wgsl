// conv2d weight gradient of kernels of one pixel at stride 1, a product over all pixels, every multiplication of a step
// written out: its loops have constant bounds, so that compilers unroll them and keep all sums where they are. For
// adapters with subgroups of 8 where a load is dear, and so is every pass over the sums.
//
// partial[s, ci, co] = sum over the images n of share s and all pixels p of x[n,ci,p] dy[n,co,p]; the last row of a
//     share is the bias: sum dy.
//
// x (n, x_channels, plane), dy (n, y_channels, plane): channel ranges from *_first on, planes of whole vectors.
// partial (splits, c_in + 1, c_out).
//
// A workgroup is one subgroup and owns INPUTS * 8 input channels by CHANNELS output channels of a share; a lane owns
// every eighth of the inputs. It walks along the pixels, four in a step; dy is loaded by lanes and spread by
// broadcast.

/// Input channels of a lane: at most 8.
override INPUTS: u32;
/// Output channels: a multiple of 8, at most 32.
override CHANNELS: u32;

// What arrays hold at most: loops run so far, and their bodies are dropped where a tile is smaller.
const MOST_INPUTS: u32 = 8;
const MOST_CHANNELS: u32 = 32;
const MOST_LOADS: u32 = MOST_CHANNELS / 8;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

/// Four pixels of each output channel.
alias Gradients = array<vec4<f32>, MOST_CHANNELS>;

/// What eight lanes have, for places from e on.
fn spread(lanes: vec4<f32>, all: ptr<function, Gradients>, e: u32) {
    (*all)[e] = subgroupBroadcast(lanes, 0u);
    (*all)[e + 1u] = subgroupBroadcast(lanes, 1u);
    (*all)[e + 2u] = subgroupBroadcast(lanes, 2u);
    (*all)[e + 3u] = subgroupBroadcast(lanes, 3u);
    (*all)[e + 4u] = subgroupBroadcast(lanes, 4u);
    (*all)[e + 5u] = subgroupBroadcast(lanes, 5u);
    (*all)[e + 6u] = subgroupBroadcast(lanes, 6u);
    (*all)[e + 7u] = subgroupBroadcast(lanes, 7u);
}

fn store(split: u32, row: u32, co: u32, value: f32) {
    if row <= params.c_in && co < params.c_out {
        partial[(split * (params.c_in + 1u) + row) * params.c_out + co] = value;
    }
}

/// Computes the sums of the share `split` for inputs from ci and output channels from co on.
fn gradient(split: u32, ci: u32, co: u32, lane: u32) {
    let plane = params.h_in * params.w_in / 4u;
    let share = (params.n + params.splits - 1u) / params.splits;
    let end = min((split + 1u) * share, params.n) * plane;
    var inputs: array<u32, MOST_INPUTS>;
    for (var i = 0u; i < MOST_INPUTS; i += 1u) {
        inputs[i] = (params.x_first + min(ci + i * 8u + lane, params.c_in - 1u)) * plane;
    }
    var outputs: array<u32, MOST_LOADS>;
    for (var e = 0u; e < MOST_LOADS; e += 1u) {
        outputs[e] = (params.y_first + min(co + e * 8u + lane, params.c_out - 1u)) * plane;
    }
    var sums: array<array<f32, MOST_CHANNELS>, MOST_INPUTS>;
    var bias: array<f32, MOST_LOADS>;
    for (var at = split * share * plane; at < end; at += 1u) {
        let n = at / plane;
        let p = at % plane;
        var gradients: Gradients;
        for (var e = 0u; e < MOST_LOADS; e += 1u) {
            if e * 8u < CHANNELS {
                let own = dy[n * params.y_channels * plane + outputs[e] + p];
                bias[e] = bias[e] + own.x + own.y + own.z + own.w;
                spread(own, &gradients, e * 8u);
            }
        }
        for (var i = 0u; i < MOST_INPUTS; i += 1u) {
            if i < INPUTS {
                let own = x[n * params.x_channels * plane + inputs[i] + p];
                for (var c = 0u; c < MOST_CHANNELS; c += 1u) {
                    if c < CHANNELS {
                        let g = gradients[c];
                        sums[i][c] = sums[i][c] + own.x * g.x + own.y * g.y + own.z * g.z + own.w * g.w;
                    }
                }
            }
        }
    }
    for (var i = 0u; i < MOST_INPUTS; i += 1u) {
        for (var c = 0u; c < MOST_CHANNELS; c += 1u) {
            let row = ci + i * 8u + lane;
            if i < INPUTS && c < CHANNELS && row < params.c_in {
                store(split, row, co + c, sums[i][c]);
            }
        }
    }
    if ci == 0u {
        for (var e = 0u; e < MOST_LOADS; e += 1u) {
            if e * 8u < CHANNELS {
                store(split, params.c_in, co + e * 8u + lane, bias[e]);
            }
        }
    }
}

@compute @workgroup_size(8)
fn conv2d_backward_weight_subgroup_pointwise(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let i = workgroup_index(group, groups);
    let channel_blocks = (params.c_out + CHANNELS - 1u) / CHANNELS;
    let input_blocks = (params.c_in + INPUTS * 8u - 1u) / (INPUTS * 8u);
    let split = i / channel_blocks / input_blocks;
    // A folded grid has workgroups behind the last share.
    if split < params.splits {
        gradient(split, i / channel_blocks % input_blocks * INPUTS * 8u, i % channel_blocks * CHANNELS, lane);
    }
}
