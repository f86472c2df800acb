// conv2d from rows staged in workgroup memory, for GPUs: stride 1, any padding, kernels of up to TAPS rows and columns.
//
// forward:        y[n,co,oy,ox] = relu(bias[co] + sum x[n,ci,oy+ky-top,ox+kx-left] w[ky,kx,ci,co])
// backward input: grad_x[n,ci,iy,ix] = sum dy[n,co,iy+top-ky,ix+left-kx] w[ky,kx,ci,co], zero where the ReLU before
//                 (relu_mask) was closed: the forward sum of dy with the kernel turned around.
//
// x, grad_x (n, x_channels, h_in, w_in), y, dy (n, y_channels, h_out, w_out), relu_mask (n, mask_channels, h_in,
// w_in): channel ranges from *_first on; w (kh, kw, c_in, c_out); bias (c_out).
//
// A workgroup computes CHANNELS channels of some rows, of all images one below the other, in up to 64 pixels of
// their width. With kh - 1 rows between images, what those rows read lies in a row as well. A step brings DEPTH channels: tile[s * PLANE +
// row * (quads + 1) + quad] holds four columns of channel s, weights[((s * TAPS + ky) * TAPS + kx) * VECTORS + v]
// four channels of the kernel. An invocation owns four pixels of a row in all channels: it reads eight inputs for all taps of a
// row of the kernel, and a weight is the same for all invocations.

/// Rows and columns of the largest kernel: 1, 3 or 5.
override TAPS: u32;
/// Channels of a workgroup: 8, 10 or 16.
override CHANNELS: u32;

/// Channels of a step: 8, 4 or 2.
override DEPTH: u32 = 8u >> (TAPS / 2u);
/// Vectors that a channel of a step has in workgroup memory: 64, 120 or 176, for the rows that 64 invocations read of images 48
/// pixels wide.
override PLANE: u32 = 36u + 28u * TAPS;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<f32>;

var<workgroup> tile: array<vec4<f32>, DEPTH * PLANE>;
var<workgroup> weights: array<vec4<f32>, DEPTH * TAPS * TAPS * ((CHANNELS + 3u) / 4u)>;

/// Four pixels of 16 channels; those behind CHANNELS are no code at all.
struct Sums {
    c0: vec4<f32>,
    c1: vec4<f32>,
    c2: vec4<f32>,
    c3: vec4<f32>,
    c4: vec4<f32>,
    c5: vec4<f32>,
    c6: vec4<f32>,
    c7: vec4<f32>,
    c8: vec4<f32>,
    c9: vec4<f32>,
    c10: vec4<f32>,
    c11: vec4<f32>,
    c12: vec4<f32>,
    c13: vec4<f32>,
    c14: vec4<f32>,
    c15: vec4<f32>,
}

/// The two images of a convolution: what is read, and what is written.
struct Images {
    /// Size of what is read, and the rows and columns that lie before it.
    height: u32,
    width: u32,
    top: u32,
    left: u32,
    /// Size of what is written.
    rows: u32,
    columns: u32,
}

/// What a workgroup computes: `count` rows from `first` on, `quads` vectors of pixels from column `column` on.
struct Block {
    first: u32,
    count: u32,
    column: u32,
    quads: u32,
    channel: u32,
}

/// Rows that stand in workgroup memory for each row of an image and those between images.
fn pitch(of_images: Images) -> u32 {
    return of_images.rows + params.kh - 1u;
}

/// The place of row `row` of all images among those.
fn spread(row: u32, of_images: Images) -> u32 {
    return row / of_images.rows * pitch(of_images) + row % of_images.rows;
}

/// Vectors of columns that a row has in workgroup memory.
fn stride(quads: u32) -> u32 {
    return select(quads + 1u, quads, TAPS == 1u);
}

/// Rows that `count` rows read at the most, wherever in images of `rows` rows they begin.
fn most_rows(count: u32, rows: u32) -> u32 {
    return count - 1u + (params.kh - 1u) * ((count + rows - 2u) / rows) + params.kh;
}

/// Rows of a workgroup: as many as it has invocations for, and as fit into workgroup memory wherever they begin.
fn rows_of_block(quads: u32, rows: u32) -> u32 {
    var count = 64u / quads;
    while (count > 1u) & (most_rows(count, rows) * stride(quads) > PLANE) {
        count -= 1u;
    }
    return count;
}

fn block_of(i: u32, channels: u32, of_images: Images) -> Block {
    // Blocks of channels are fastest in the grid: they read the same rows.
    let all_quads = (of_images.columns + 3u) / 4u;
    let quads = min(all_quads, 16u);
    let count = rows_of_block(quads, of_images.rows);
    let channel_blocks = (channels + CHANNELS - 1u) / CHANNELS;
    let column_blocks = (all_quads + quads - 1u) / quads;
    let column = i / channel_blocks % column_blocks * quads * 4u;
    return Block(i / channel_blocks / column_blocks * count, count, column, quads, i % channel_blocks * CHANNELS);
}

/// Where four columns lie in what is read: the index of the first in an image's first channel, and which exist.
struct Place {
    inside: vec4<bool>,
    image: u32,
    i: u32,
}

/// What vector `e` of a channel in workgroup memory holds.
fn place(e: u32, block: Block, of_images: Images) -> Place {
    let row = spread(block.first, of_images) + e / stride(block.quads);
    let image = row / pitch(of_images);
    let y = row % pitch(of_images) - of_images.top;
    let column = block.column + e % stride(block.quads) * 4u - of_images.left + vec4<u32>(0u, 1u, 2u, 3u);
    let inside = (column < vec4<u32>(of_images.width)) & vec4<bool>(image < params.n) & vec4<bool>(y < of_images.height);
    return Place(inside, image, y * of_images.width + column.x);
}

/// Adds one column of the kernel: four pixels times each channel's weight.
fn add_tap(sums: ptr<function, Sums>, inputs: vec4<f32>, at: u32) {
    let first = weights[at];
    let second = weights[at + 1u];
    (*sums).c0 += first.x * inputs;
    (*sums).c1 += first.y * inputs;
    (*sums).c2 += first.z * inputs;
    (*sums).c3 += first.w * inputs;
    (*sums).c4 += second.x * inputs;
    (*sums).c5 += second.y * inputs;
    (*sums).c6 += second.z * inputs;
    (*sums).c7 += second.w * inputs;
    if CHANNELS > 8u {
        let third = weights[at + 2u];
        (*sums).c8 += third.x * inputs;
        (*sums).c9 += third.y * inputs;
        if CHANNELS > 10u {
            let fourth = weights[at + 3u];
            (*sums).c10 += third.z * inputs;
            (*sums).c11 += third.w * inputs;
            (*sums).c12 += fourth.x * inputs;
            (*sums).c13 += fourth.y * inputs;
            (*sums).c14 += fourth.z * inputs;
            (*sums).c15 += fourth.w * inputs;
        }
    }
}

/// Adds `depth` channels of a step, in order; the invocation's first input is tile[at].
fn add_step(sums: ptr<function, Sums>, at: u32, row_stride: u32, depth: u32) {
    let vectors = (CHANNELS + 3u) / 4u;
    for (var s = 0u; s < depth; s += 1u) {
        for (var ky = 0u; ky < params.kh; ky += 1u) {
            let i = at + s * PLANE + ky * row_stride;
            let of_row = (s * TAPS + ky) * TAPS * vectors;
            let a = tile[i];
            add_tap(sums, a, of_row);
            if TAPS > 1u {
                let b = tile[i + 1u];
                add_tap(sums, vec4<f32>(a.yzw, b.x), of_row + vectors);
                add_tap(sums, vec4<f32>(a.zw, b.xy), of_row + 2u * vectors);
                if TAPS > 3u {
                    add_tap(sums, vec4<f32>(a.w, b.xyz), of_row + 3u * vectors);
                    add_tap(sums, b, of_row + 4u * vectors);
                }
            }
        }
    }
}

/// A number of a kernel in workgroup memory: its channel of the step, row, column and first channel of the block.
struct Weight {
    s: u32,
    ky: u32,
    kx: u32,
    channel: u32,
}

fn weight_at(e: u32) -> Weight {
    let vectors = (CHANNELS + 3u) / 4u;
    let tap = e / vectors;
    return Weight(tap / TAPS / TAPS, tap / TAPS % TAPS, tap % TAPS, e % vectors * 4u);
}

fn forward_images() -> Images {
    return Images(params.h_in, params.w_in, params.pad_top, params.pad_left, params.h_out, params.w_out);
}

fn input(i: u32, inside: bool) -> f32 {
    return select(0.0, x[select(0u, i, inside)], inside);
}

/// Four columns of channel ci of what is read.
fn inputs_at(at: Place, ci: u32) -> vec4<f32> {
    let plane = (at.image * params.x_channels + params.x_first + ci) * params.h_in * params.w_in;
    let inside = at.inside & vec4<bool>(ci < params.c_in);
    let i = plane + at.i;
    return vec4<f32>(
        input(i, inside.x), input(i + 1u, inside.y), input(i + 2u, inside.z), input(i + 3u, inside.w),
    );
}

/// The weight of a tap, an input and an output channel; zero outside.
fn forward_weight(of_tap: Weight, ci: u32, co: u32) -> f32 {
    let inside = (of_tap.ky < params.kh) & (of_tap.kx < params.kw) & (ci < params.c_in) & (co < params.c_out);
    let i = ((of_tap.ky * params.kw + of_tap.kx) * params.c_in + ci) * params.c_out + co;
    return select(0.0, w[select(0u, i, inside)], inside);
}

/// Brings the input channels from `first` on to workgroup memory. Barriers go around the call.
fn share_forward(first: u32, block: Block, local: u32) {
    for (var e = local; e < PLANE; e += 64u) {
        let at = place(e, block, forward_images());
        for (var s = 0u; s < DEPTH; s += 1u) {
            tile[s * PLANE + e] = inputs_at(at, first + s);
        }
    }
    for (var e = local; e < DEPTH * TAPS * TAPS * ((CHANNELS + 3u) / 4u); e += 64u) {
        let of_tap = weight_at(e);
        let ci = first + of_tap.s;
        let co = block.channel + of_tap.channel;
        weights[e] = vec4<f32>(
            forward_weight(of_tap, ci, co), forward_weight(of_tap, ci, co + 1u),
            forward_weight(of_tap, ci, co + 2u), forward_weight(of_tap, ci, co + 3u),
        );
    }
}

/// Writes the first `count` of four pixels of output channel co, pixel i of an image.
fn store_forward(image: u32, i: u32, count: u32, co: u32, sums: vec4<f32>) {
    if co < params.c_out {
        var values = sums + bias[co];
        if params.relu != 0u {
            values = relu4(values);
        }
        let to = (image * params.y_channels + params.y_first + co) * params.h_out * params.w_out + i;
        for (var p = 0u; p < min(count, 4u); p += 1u) {
            y[to + p] = values[p];
        }
    }
}

@compute @workgroup_size(64)
fn conv2d_forward_shared_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let of_images = forward_images();
    let block = block_of(workgroup_index(group, groups), params.c_out, of_images);
    let row = block.first + min(local / block.quads, block.count - 1u);
    let quad = local % block.quads;
    let first_row = spread(row, of_images) - spread(block.first, of_images);
    var sums = Sums();
    for (var first = 0u; first < params.c_in; first += DEPTH) {
        workgroupBarrier();
        share_forward(first, block, local);
        workgroupBarrier();
        let row_stride = stride(block.quads);
        add_step(&sums, first_row * row_stride + quad, row_stride, min(params.c_in - first, DEPTH));
    }
    let image = row / params.h_out;
    let column = block.column + quad * 4u;
    let i = row % params.h_out * params.w_out + column;
    let co = block.channel;
    if local < block.count * block.quads && image < params.n && column < params.w_out {
        let count = params.w_out - column;
        store_forward(image, i, count, co, sums.c0);
        store_forward(image, i, count, co + 1u, sums.c1);
        store_forward(image, i, count, co + 2u, sums.c2);
        store_forward(image, i, count, co + 3u, sums.c3);
        store_forward(image, i, count, co + 4u, sums.c4);
        store_forward(image, i, count, co + 5u, sums.c5);
        store_forward(image, i, count, co + 6u, sums.c6);
        store_forward(image, i, count, co + 7u, sums.c7);
        if CHANNELS > 8u {
            store_forward(image, i, count, co + 8u, sums.c8);
            store_forward(image, i, count, co + 9u, sums.c9);
        }
        if CHANNELS > 10u {
            store_forward(image, i, count, co + 10u, sums.c10);
            store_forward(image, i, count, co + 11u, sums.c11);
            store_forward(image, i, count, co + 12u, sums.c12);
            store_forward(image, i, count, co + 13u, sums.c13);
            store_forward(image, i, count, co + 14u, sums.c14);
            store_forward(image, i, count, co + 15u, sums.c15);
        }
    }
}

/// Of the gradients: the kernel is turned around, so that its last row comes first.
fn backward_images() -> Images {
    let top = params.kh - 1u - params.pad_top;
    let left = params.kw - 1u - params.pad_left;
    return Images(params.h_out, params.w_out, top, left, params.h_in, params.w_in);
}

fn gradient(i: u32, inside: bool) -> f32 {
    return select(0.0, dy[select(0u, i, inside)], inside);
}

/// Four columns of channel co of what is read.
fn gradients_at(at: Place, co: u32) -> vec4<f32> {
    let plane = (at.image * params.y_channels + params.y_first + co) * params.h_out * params.w_out;
    let inside = at.inside & vec4<bool>(co < params.c_out);
    let i = plane + at.i;
    return vec4<f32>(
        gradient(i, inside.x), gradient(i + 1u, inside.y), gradient(i + 2u, inside.z), gradient(i + 3u, inside.w),
    );
}

/// The weight of a tap of the kernel that was turned around, an output and an input channel; zero outside.
fn backward_weight(of_tap: Weight, co: u32, ci: u32) -> f32 {
    let inside = (of_tap.ky < params.kh) & (of_tap.kx < params.kw) & (ci < params.c_in) & (co < params.c_out);
    let tap = (params.kh - 1u - of_tap.ky) * params.kw + params.kw - 1u - of_tap.kx;
    let i = (tap * params.c_in + ci) * params.c_out + co;
    return select(0.0, w[select(0u, i, inside)], inside);
}

/// Brings the output channels from `first` on to workgroup memory. Barriers go around the call.
fn share_backward(first: u32, block: Block, local: u32) {
    for (var e = local; e < PLANE; e += 64u) {
        let at = place(e, block, backward_images());
        for (var s = 0u; s < DEPTH; s += 1u) {
            tile[s * PLANE + e] = gradients_at(at, first + s);
        }
    }
    for (var e = local; e < DEPTH * TAPS * TAPS * ((CHANNELS + 3u) / 4u); e += 64u) {
        let of_tap = weight_at(e);
        let co = first + of_tap.s;
        let ci = block.channel + of_tap.channel;
        weights[e] = vec4<f32>(
            backward_weight(of_tap, co, ci), backward_weight(of_tap, co, ci + 1u),
            backward_weight(of_tap, co, ci + 2u), backward_weight(of_tap, co, ci + 3u),
        );
    }
}

/// Writes the first `count` of four pixels of input channel ci, pixel i of an image.
fn store_backward(image: u32, i: u32, count: u32, ci: u32, sums: vec4<f32>) {
    if ci < params.c_in {
        let size = params.h_in * params.w_in;
        let to = (image * params.x_channels + params.x_first + ci) * size + i;
        for (var p = 0u; p < min(count, 4u); p += 1u) {
            var value = sums[p];
            if params.relu != 0u {
                let open = relu_mask[(image * params.mask_channels + params.mask_first + ci) * size + i + p] > 0.0;
                value = select(0.0, value, open);
            }
            grad_x[to + p] = value;
        }
    }
}

@compute @workgroup_size(64)
fn conv2d_backward_input_shared_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let of_images = backward_images();
    let block = block_of(workgroup_index(group, groups), params.c_in, of_images);
    let row = block.first + min(local / block.quads, block.count - 1u);
    let quad = local % block.quads;
    let first_row = spread(row, of_images) - spread(block.first, of_images);
    var sums = Sums();
    for (var first = 0u; first < params.c_out; first += DEPTH) {
        workgroupBarrier();
        share_backward(first, block, local);
        workgroupBarrier();
        let row_stride = stride(block.quads);
        add_step(&sums, first_row * row_stride + quad, row_stride, min(params.c_out - first, DEPTH));
    }
    let image = row / params.h_in;
    let column = block.column + quad * 4u;
    let i = row % params.h_in * params.w_in + column;
    let ci = block.channel;
    if local < block.count * block.quads && image < params.n && column < params.w_in {
        let count = params.w_in - column;
        store_backward(image, i, count, ci, sums.c0);
        store_backward(image, i, count, ci + 1u, sums.c1);
        store_backward(image, i, count, ci + 2u, sums.c2);
        store_backward(image, i, count, ci + 3u, sums.c3);
        store_backward(image, i, count, ci + 4u, sums.c4);
        store_backward(image, i, count, ci + 5u, sums.c5);
        store_backward(image, i, count, ci + 6u, sums.c6);
        store_backward(image, i, count, ci + 7u, sums.c7);
        if CHANNELS > 8u {
            store_backward(image, i, count, ci + 8u, sums.c8);
            store_backward(image, i, count, ci + 9u, sums.c9);
        }
        if CHANNELS > 10u {
            store_backward(image, i, count, ci + 10u, sums.c10);
            store_backward(image, i, count, ci + 11u, sums.c11);
            store_backward(image, i, count, ci + 12u, sums.c12);
            store_backward(image, i, count, ci + 13u, sums.c13);
            store_backward(image, i, count, ci + 14u, sums.c14);
            store_backward(image, i, count, ci + 15u, sums.c15);
        }
    }
}
