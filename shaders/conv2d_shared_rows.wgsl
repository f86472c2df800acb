// conv2d from rows staged in workgroup memory, for GPUs: stride 1, any padding, kernels of up to TAPS rows and columns.
//
// forward:        y[n,co,oy,ox] = relu(bias[co] + sum x[n,ci,oy+ky-top,ox+kx-left] w[ky,kx,ci,co])
// backward input: grad_x[n,ci,iy,ix] = sum dy[n,co,iy+top-ky,ix+left-kx] w[ky,kx,ci,co], zero where the ReLU before
//                 (relu_mask) was closed: the forward sum of dy with the kernel turned around.
//
// Both are one sum, from x or dy (source) to y or grad_x (result); what goes in besides is the bias or the mask.
//
// x, grad_x (n, x_channels, h_in, w_in), y, dy (n, y_channels, h_out, w_out), relu_mask (n, mask_channels, h_in,
// w_in): channel ranges from *_first on; w (kh, kw, c_in, c_out); bias (c_out).
//
// A workgroup computes CHANNELS channels of some rows, of all images one below the other, in up to 64 pixels of
// their width. With kh - 1 rows between images, what those rows read lies in a row as well. A step brings DEPTH
// channels: tile[s * PLANE + row * (quads + 1) + quad] holds four columns of channel s, weights[((s * TAPS + ky) *
// TAPS + kx) * VECTORS + v] four channels of the kernel. An invocation owns four pixels of a row in all channels: it
// reads eight inputs for all taps of a row of the kernel, and a weight is the same for all invocations.

/// Rows and columns of the largest kernel: 3 or 5.
override TAPS: u32;
/// Channels of a workgroup: 8 or 10.
override CHANNELS: u32;
/// Vectors that hold them.
override VECTORS: u32 = (CHANNELS + 3u) / 4u;

/// Channels of a step: 4 or 2.
override DEPTH: u32 = 8u >> (TAPS / 2u);
/// Vectors that a channel of a step has in workgroup memory: 120 or 176, for the rows that 64 invocations read
/// of images 48 pixels wide.
override PLANE: u32 = 36u + 28u * TAPS;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias_or_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;

var<workgroup> tile: array<vec4<f32>, DEPTH * PLANE>;
var<workgroup> weights: array<vec4<f32>, DEPTH * TAPS * TAPS * VECTORS>;

/// Four pixels of 10 channels; those behind CHANNELS are no code at all.
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
}

/// The images of a convolution: what is read, and what is written.
struct Images {
    /// Is the kernel turned around, its last row and column first, as the gradient of the input asks for?
    turned: bool,
    /// Size of what is read, and the rows and columns that lie before it.
    height: u32,
    width: u32,
    top: u32,
    left: u32,
    /// Its channels: those of the buffer, the first of the layer, and how many.
    source_channels: u32,
    source_first: u32,
    sources: u32,
    /// Size of what is written, and its channels.
    rows: u32,
    columns: u32,
    target_channels: u32,
    target_first: u32,
    targets: u32,
}

fn forward_images() -> Images {
    return Images(
        false,
        params.h_in, params.w_in, params.pad_top, params.pad_left,
        params.x_channels, params.x_first, params.c_in,
        params.h_out, params.w_out, params.y_channels, params.y_first, params.c_out,
    );
}

fn backward_images() -> Images {
    return Images(
        true,
        params.h_out, params.w_out, params.kh - 1u - params.pad_top, params.kw - 1u - params.pad_left,
        params.y_channels, params.y_first, params.c_out,
        params.h_in, params.w_in, params.x_channels, params.x_first, params.c_in,
    );
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
    return quads + 1u;
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

fn block_of(i: u32, of_images: Images) -> Block {
    // Blocks of channels are fastest in the grid: they read the same rows.
    let all_quads = (of_images.columns + 3u) / 4u;
    let quads = min(all_quads, 16u);
    let count = rows_of_block(quads, of_images.rows);
    let channel_blocks = (of_images.targets + CHANNELS - 1u) / CHANNELS;
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
    }
}

/// Adds `depth` channels of a step, in order; the invocation's first input is tile[at].
fn add_step(sums: ptr<function, Sums>, at: u32, row_stride: u32, depth: u32) {
    for (var s = 0u; s < depth; s += 1u) {
        for (var ky = 0u; ky < params.kh; ky += 1u) {
            let i = at + s * PLANE + ky * row_stride;
            let of_row = (s * TAPS + ky) * TAPS * VECTORS;
            let a = tile[i];
            let b = tile[i + 1u];
            add_tap(sums, a, of_row);
            add_tap(sums, vec4<f32>(a.yzw, b.x), of_row + VECTORS);
            add_tap(sums, vec4<f32>(a.zw, b.xy), of_row + 2u * VECTORS);
            if TAPS > 3u {
                add_tap(sums, vec4<f32>(a.w, b.xyz), of_row + 3u * VECTORS);
                add_tap(sums, b, of_row + 4u * VECTORS);
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
    let tap = e / VECTORS;
    return Weight(tap / TAPS / TAPS, tap / TAPS % TAPS, tap % TAPS, e % VECTORS * 4u);
}

fn input(i: u32, inside: bool) -> f32 {
    return select(0.0, source[select(0u, i, inside)], inside);
}

/// Four columns of a channel of what is read; zero outside.
fn inputs_at(at: Place, channel: u32, of_images: Images) -> vec4<f32> {
    let plane = at.image * of_images.source_channels + of_images.source_first + channel;
    let inside = at.inside & vec4<bool>(channel < of_images.sources);
    let i = plane * of_images.height * of_images.width + at.i;
    return vec4<f32>(
        input(i, inside.x), input(i + 1u, inside.y), input(i + 2u, inside.z), input(i + 3u, inside.w),
    );
}

/// The weight of a tap between a channel that is read and one that is written; zero outside.
fn weight(of_tap: Weight, read: u32, written: u32, of_images: Images) -> f32 {
    let taken = (of_tap.ky < params.kh) & (of_tap.kx < params.kw);
    let inside = taken & (read < of_images.sources) & (written < of_images.targets);
    var i = ((of_tap.ky * params.kw + of_tap.kx) * params.c_in + read) * params.c_out + written;
    if of_images.turned {
        let tap = (params.kh - 1u - of_tap.ky) * params.kw + params.kw - 1u - of_tap.kx;
        i = (tap * params.c_in + written) * params.c_out + read;
    }
    return select(0.0, w[select(0u, i, inside)], inside);
}

/// Brings the channels from `first` on to workgroup memory. Barriers go around the call.
fn share(first: u32, block: Block, of_images: Images, local: u32) {
    for (var e = local; e < PLANE; e += 64u) {
        let at = place(e, block, of_images);
        for (var s = 0u; s < DEPTH; s += 1u) {
            tile[s * PLANE + e] = inputs_at(at, first + s, of_images);
        }
    }
    for (var e = local; e < DEPTH * TAPS * TAPS * VECTORS; e += 64u) {
        let of_tap = weight_at(e);
        let read = first + of_tap.s;
        let written = block.channel + of_tap.channel;
        weights[e] = vec4<f32>(
            weight(of_tap, read, written, of_images), weight(of_tap, read, written + 1u, of_images),
            weight(of_tap, read, written + 2u, of_images), weight(of_tap, read, written + 3u, of_images),
        );
    }
}

/// What becomes of a sum: pixel i of channel `channel` of an image.
fn finished(image: u32, channel: u32, i: u32, sum: f32, of_images: Images) -> f32 {
    if of_images.turned {
        let plane = image * params.mask_channels + params.mask_first + channel;
        let at = select(0u, plane * of_images.rows * of_images.columns + i, params.relu != 0u);
        return select(0.0, sum, (params.relu == 0u) | (bias_or_mask[at] > 0.0));
    }
    let value = sum + bias_or_mask[channel];
    return select(value, relu(value), params.relu != 0u);
}

/// Where an invocation writes: the first of four pixels, `count` of which or more there are.
struct Own {
    image: u32,
    i: u32,
    count: u32,
}

/// Writes the pixels of a channel.
fn store(own: Own, channel: u32, sums: vec4<f32>, of_images: Images) {
    if channel < of_images.targets {
        let plane = own.image * of_images.target_channels + of_images.target_first + channel;
        let to = plane * of_images.rows * of_images.columns + own.i;
        for (var p = 0u; p < min(own.count, 4u); p += 1u) {
            result[to + p] = finished(own.image, channel, own.i + p, sums[p], of_images);
        }
    }
}

fn store_all(own: Own, channel: u32, sums: Sums, of_images: Images) {
    store(own, channel, sums.c0, of_images);
    store(own, channel + 1u, sums.c1, of_images);
    store(own, channel + 2u, sums.c2, of_images);
    store(own, channel + 3u, sums.c3, of_images);
    store(own, channel + 4u, sums.c4, of_images);
    store(own, channel + 5u, sums.c5, of_images);
    store(own, channel + 6u, sums.c6, of_images);
    store(own, channel + 7u, sums.c7, of_images);
    if CHANNELS > 8u {
        store(own, channel + 8u, sums.c8, of_images);
        store(own, channel + 9u, sums.c9, of_images);
    }
}

/// Computes workgroup `i` of a convolution.
fn convolve(i: u32, of_images: Images, local: u32) {
    let block = block_of(i, of_images);
    let row = block.first + min(local / block.quads, block.count - 1u);
    let quad = local % block.quads;
    let row_stride = stride(block.quads);
    let own_first = (spread(row, of_images) - spread(block.first, of_images)) * row_stride + quad;
    var sums = Sums();
    for (var first = 0u; first < of_images.sources; first += DEPTH) {
        workgroupBarrier();
        share(first, block, of_images, local);
        workgroupBarrier();
        add_step(&sums, own_first, row_stride, min(of_images.sources - first, DEPTH));
    }
    let image = row / of_images.rows;
    let column = block.column + quad * 4u;
    let own = Own(image, row % of_images.rows * of_images.columns + column, of_images.columns - column);
    if local < block.count * block.quads && image < params.n && column < of_images.columns {
        store_all(own, block.channel, sums, of_images);
    }
}

@compute @workgroup_size(64)
fn conv2d_forward_shared_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    convolve(workgroup_index(group, groups), forward_images(), local);
}

@compute @workgroup_size(64)
fn conv2d_backward_input_shared_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    convolve(workgroup_index(group, groups), backward_images(), local);
}
