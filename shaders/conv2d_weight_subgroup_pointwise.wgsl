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

/// Input channels of a lane.
override INPUTS: u32;
/// Output channels: a multiple of 8.
override CHANNELS: u32;

/// Loads of eight lanes that have a vector of each.
const LOADS: u32 = CHANNELS / 8;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

/// Computes the sums of the share `split` for inputs from ci and output channels from co on.
fn gradient(split: u32, ci: u32, co: u32, lane: u32) {
    let plane = params.h_in * params.w_in / 4u;
    let share = (params.n + params.splits - 1u) / params.splits;
    let end = min((split + 1u) * share, params.n) * plane;
    var inputs: array<u32, INPUTS>;
    for (var i = 0u; i < INPUTS; i += 1u) {
        inputs[i] = (params.x_first + min(ci + i * 8u + lane, params.c_in - 1u)) * plane;
    }
    var outputs: array<u32, LOADS>;
    for (var e = 0u; e < LOADS; e += 1u) {
        outputs[e] = (params.y_first + min(co + e * 8u + lane, params.c_out - 1u)) * plane;
    }
    var sums: array<array<f32, CHANNELS>, INPUTS>;
    var bias: array<f32, LOADS>;
    for (var at = split * share * plane; at < end; at += 1u) {
        let n = at / plane;
        let p = at % plane;
        var gradients: array<Eight, LOADS>;
        for (var e = 0u; e < LOADS; e += 1u) {
            let own = dy[n * params.y_channels * plane + outputs[e] + p];
            bias[e] = bias[e] + own.x + own.y + own.z + own.w;
            gradients[e] = spread(own);
        }
        for (var i = 0u; i < INPUTS; i += 1u) {
            let own = x[n * params.x_channels * plane + inputs[i] + p];
            for (var c = 0u; c < CHANNELS; c += 1u) {
                let g = gradients[c / 8u][c % 8u];
                sums[i][c] = sums[i][c] + own.x * g.x + own.y * g.y + own.z * g.z + own.w * g.w;
            }
        }
    }
    for (var i = 0u; i < INPUTS; i += 1u) {
        for (var c = 0u; c < CHANNELS; c += 1u) {
            let row = ci + i * 8u + lane;
            if row < params.c_in {
                store(split, row, co + c, sums[i][c]);
            }
        }
    }
    if ci == 0u {
        for (var e = 0u; e < LOADS; e += 1u) {
            store(split, params.c_in, co + e * 8u + lane, bias[e]);
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
