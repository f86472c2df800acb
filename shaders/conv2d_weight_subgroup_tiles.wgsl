// conv2d weight gradient with stride 1, kernels of TAPS by TAPS and 'same' columns (TAPS / 2 of padding on the left),
// every product of a step written out: its loops have constant bounds, so that compilers unroll them and keep all sums
// where they are. For adapters with subgroups of 8 where a load is dear, and so is every pass over the sums: a row of x is
// loaded once and meets TAPS rows of dy, each in all columns of the kernel.
//
// partial[s, ky,kx,ci, co] = sum over the images n of share s and all outputs of
//     x[n,ci,oy+ky-top,ox+kx-left] dy[n,co,oy,ox]; the last row of a share is the bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out): channel ranges from *_first on, widths
// multiples of 4. partial (splits, kh * kw * c_in + 1, c_out).
//
// A workgroup is one subgroup and owns all taps of 8 input channels, one a lane, by 8 output channels. It walks
// down strips of 12 columns of its share's images, TAPS rows of x in registers; dy is loaded by lanes and spread
// by broadcast.

/// Rows and columns of the kernel: 3 or 5.
override TAPS: u32;

/// Vectors of a row of a strip.
const QUADS: u32 = 3;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

/// A row of x: four pixels before the strip's, its own, four after.
alias Row = array<f32, 4 * (QUADS + 2)>;

/// Row y of a plane of x under a strip from column `left` on; zero outside, where a coordinate wrapped or ran over.
fn load_row(plane: u32, y: u32, left: u32) -> Row {
    var row: Row;
    for (var quad = 0u; quad < QUADS + 2u; quad += 1u) {
        let column = left + quad * 4u - 4u;
        let inside = (y < params.h_in) & (column < params.w_in);
        let at = select(0u, ((plane + y) * params.w_in + column) / 4u, inside);
        let pixels = select(vec4<f32>(), x[at], inside);
        row[quad * 4u] = pixels.x;
        row[quad * 4u + 1u] = pixels.y;
        row[quad * 4u + 2u] = pixels.z;
        row[quad * 4u + 3u] = pixels.w;
    }
    return row;
}

/// Four pixels of row y of a plane of dy; zero behind the row.
fn load_gradient(plane: u32, y: u32, column: u32) -> vec4<f32> {
    let inside = column < params.w_out;
    let at = select(0u, ((plane + y) * params.w_out + column) / 4u, inside);
    return select(vec4<f32>(), dy[at], inside);
}

/// Computes the sums of the share `split` for inputs from `first` on and output channels from co on; the first block's
/// workgroup also writes the bias gradient of the channels.
fn gradient(split: u32, first: u32, co: u32, lane: u32) {
    let share = (params.n + params.splits - 1u) / params.splits;
    let end = min((split + 1u) * share, params.n);
    let ci = min(first + lane, params.c_in - 1u);
    let channel = min(co + lane, params.c_out - 1u);
    var sums: array<array<array<f32, TAPS>, TAPS>, 8>;
    var bias = 0.0;
    for (var n = split * share; n < end; n += 1u) {
        let gradients = (n * params.y_channels + params.y_first + channel) * params.h_out;
        let inputs = (n * params.x_channels + params.x_first + ci) * params.h_in;
        for (var left = 0u; left < params.w_out; left += QUADS * 4u) {
            var rows: array<Row, TAPS>;
            for (var r = 1u; r < TAPS; r += 1u) {
                rows[r] = load_row(inputs, r - 1u - params.pad_top, left);
            }
            for (var y = 0u; y < params.h_out; y += 1u) {
                for (var r = 1u; r < TAPS; r += 1u) {
                    rows[r - 1u] = rows[r];
                }
                rows[TAPS - 1u] = load_row(inputs, y + TAPS - 1u - params.pad_top, left);
                var each: array<Eight, QUADS>;
                for (var q = 0u; q < QUADS; q += 1u) {
                    let own = load_gradient(gradients, y, left + q * 4u);
                    bias = bias + own.x + own.y + own.z + own.w;
                    each[q] = spread(own);
                }
                for (var c = 0u; c < 8u; c += 1u) {
                    for (var ky = 0u; ky < TAPS; ky += 1u) {
                        for (var kx = 0u; kx < TAPS; kx += 1u) {
                            var sum = sums[c][ky][kx];
                            for (var q = 0u; q < QUADS; q += 1u) {
                                let g = each[q][c];
                                let at = 4u + q * 4u + kx - TAPS / 2u;
                                sum = sum + rows[ky][at] * g.x + rows[ky][at + 1u] * g.y
                                    + rows[ky][at + 2u] * g.z + rows[ky][at + 3u] * g.w;
                            }
                            sums[c][ky][kx] = sum;
                        }
                    }
                }
            }
        }
    }
    for (var c = 0u; c < 8u; c += 1u) {
        for (var ky = 0u; ky < TAPS; ky += 1u) {
            for (var kx = 0u; kx < TAPS; kx += 1u) {
                if first + lane < params.c_in {
                    store(split, (ky * TAPS + kx) * params.c_in + first + lane, co + c, sums[c][ky][kx]);
                }
            }
        }
    }
    if first == 0u {
        store(split, TAPS * TAPS * params.c_in, co + lane, bias);
    }
}

@compute @workgroup_size(8)
fn conv2d_backward_weight_subgroup_tiles(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let i = workgroup_index(group, groups);
    let channel_blocks = (params.c_out + 7u) / 8u;
    let input_blocks = (params.c_in + 7u) / 8u;
    let split = i / channel_blocks / input_blocks;
    // A folded grid has workgroups behind the last share.
    if split < params.splits {
        gradient(split, i / channel_blocks % input_blocks * 8u, i % channel_blocks * 8u, lane);
    }
}
