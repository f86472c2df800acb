// conv2d from rows staged in workgroup memory, for GPUs: stride 1, any padding, kernels of TAPS by TAPS.
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
// A workgroup computes two times OWN channels of some rows, of all images one below the other, in up to 64 pixels of
// their width. With TAPS - 1 rows between images, what those rows read lies in a row as well. A step brings DEPTH
// channels: tile[s * PLANE + row * (quads + 1) + quad] holds four columns of channel s, weights[((s * TAPS + ky) *
// TAPS + kx) * VECTORS + v] up to four channels of the kernel. Two teams of 64 invocations have OWN channels each, of
// the same pixels; an invocation owns four pixels of a row in its team's channels: it reads eight inputs for all taps
// of a row of the kernel, and a weight is the same for the whole team. While it sums a step it loads the next.

/// Rows and columns of the kernel: 3 or 5.
override TAPS: u32;
/// Channels of a team: 4, 5 or 8.
override OWN: u32;
/// Vectors that hold them, and those of both teams.
override OWN_VECTORS: u32 = (OWN + 3u) / 4u;
override VECTORS: u32 = 2u * OWN_VECTORS;

const INVOCATIONS: u32 = 128u;
/// Channels of a step: 4 or 2.
override DEPTH: u32 = 8u >> (TAPS / 2u);
/// Vectors that a channel of a step has in workgroup memory, for the rows that 64 invocations read of images 48 pixels
/// wide: 128 or 192, of which an invocation brings one or two.
override PLANE: u32 = 32u + 32u * TAPS;
override WEIGHTS: u32 = DEPTH * TAPS * TAPS * VECTORS;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias_or_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<Stored>;

var<workgroup> tile: array<vec4<f32>, DEPTH * PLANE>;
var<workgroup> weights: array<vec4<f32>, WEIGHTS>;

/// Four pixels of eight channels; those behind OWN are no code at all.
struct Sums {
    c0: vec4<f32>,
    c1: vec4<f32>,
    c2: vec4<f32>,
    c3: vec4<f32>,
    c4: vec4<f32>,
    c5: vec4<f32>,
    c6: vec4<f32>,
    c7: vec4<f32>,
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
        params.h_out, params.w_out, TAPS - 1u - params.pad_top, TAPS - 1u - params.pad_left,
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
    return of_images.rows + TAPS - 1u;
}

/// The place of row `row` of all images among those.
fn spread(row: u32, of_images: Images) -> u32 {
    return row / of_images.rows * pitch(of_images) + row % of_images.rows;
}

/// Rows that `count` rows read at the most, wherever in images of `rows` rows they begin.
fn most_rows(count: u32, rows: u32) -> u32 {
    return count - 1u + (TAPS - 1u) * ((count + rows - 2u) / rows) + TAPS;
}

/// Rows of a workgroup: as many as it has invocations for, and as fit into workgroup memory wherever they begin.
fn rows_of_block(quads: u32, rows: u32) -> u32 {
    var count = 64u / quads;
    while (count > 1u) & (most_rows(count, rows) * (quads + 1u) > PLANE) {
        count -= 1u;
    }
    return count;
}

fn block_of(i: u32, of_images: Images) -> Block {
    // Blocks of channels are fastest in the grid: they read the same rows.
    let all_quads = (of_images.columns + 3u) / 4u;
    let quads = min(all_quads, 16u);
    let count = rows_of_block(quads, of_images.rows);
    let channel_blocks = (of_images.targets + 2u * OWN - 1u) / (2u * OWN);
    let column_blocks = (all_quads + quads - 1u) / quads;
    let column = i / channel_blocks % column_blocks * quads * 4u;
    return Block(i / channel_blocks / column_blocks * count, count, column, quads, i % channel_blocks * 2u * OWN);
}

/// Where four columns lie in what is read: the first of them, its number in an image's first channel, and if there
/// is such a row.
struct Place {
    inside: bool,
    column: u32,
    image: u32,
    i: u32,
}

/// What vector `e` of a channel in workgroup memory holds.
fn place(e: u32, block: Block, of_images: Images) -> Place {
    let row = spread(block.first, of_images) + e / (block.quads + 1u);
    let image = row / pitch(of_images);
    let y = row % pitch(of_images) - of_images.top;
    let column = block.column + e % (block.quads + 1u) * 4u - of_images.left;
    let inside = (image < params.n) & (y < of_images.height);
    return Place(inside, column, image, y * of_images.width + column);
}

/// Where a vector of weights lies: its first number for the first channel that is read, the channel of the step, and
/// how many of its channels are the team's.
struct Tap {
    i: u32,
    s: u32,
    count: u32,
}

/// What vector `e` of the weights of a step holds.
fn tap(e: u32, block: Block, of_images: Images) -> Tap {
    let number = e / VECTORS;
    let v = e % VECTORS;
    let s = number / TAPS / TAPS;
    var place = number % (TAPS * TAPS);
    if of_images.turned {
        place = TAPS * TAPS - 1u - place;
    }
    let written = block.channel + v / OWN_VECTORS * OWN + v % OWN_VECTORS * 4u;
    let left = min(OWN - v % OWN_VECTORS * 4u, max(of_images.targets, written) - written);
    let first = select(s * params.c_out + written, written * params.c_out + s, of_images.turned);
    return Tap(place * params.c_in * params.c_out + first, s, select(0u, left, e < WEIGHTS));
}

/// What an invocation brings to workgroup memory in each step.
struct Brings {
    near: Place,
    far: Place,
    tap0: Tap,
    tap1: Tap,
}

fn input(i: u32, inside: bool) -> f32 {
    return select(0.0, source[select(0u, i, inside)], inside);
}

/// Four columns of a channel of what is read; zero outside.
fn inputs_at(at: Place, channel: u32, of_images: Images) -> vec4<f32> {
    let plane = at.image * of_images.source_channels + of_images.source_first + channel;
    let i = plane * of_images.height * of_images.width + at.i;
    let columns = vec4<u32>(at.column) + vec4<u32>(0u, 1u, 2u, 3u);
    let inside = vec4<bool>(at.inside & (channel < of_images.sources)) & (columns < vec4<u32>(of_images.width));
    return vec4<f32>(
        input(i, inside.x), input(i + 1u, inside.y), input(i + 2u, inside.z), input(i + 3u, inside.w),
    );
}

fn weight(i: u32, inside: bool) -> f32 {
    return select(0.0, w[select(0u, i, inside)], inside);
}

/// Weights of a tap between channel `first` + s of what is read and those of the team; zero outside.
fn weights_at(of_tap: Tap, first: u32, of_images: Images) -> vec4<f32> {
    let count = select(0u, of_tap.count, first + of_tap.s < of_images.sources);
    let step = select(1u, params.c_out, of_images.turned);
    let i = of_tap.i + first * select(params.c_out, 1u, of_images.turned);
    return vec4<f32>(
        weight(i, count > 0u), weight(i + step, count > 1u), weight(i + 2u * step, count > 2u),
        weight(i + 3u * step, count > 3u),
    );
}

/// What an invocation has loaded for one step, on its way to workgroup memory.
struct Loaded {
    v0: vec4<f32>,
    v1: vec4<f32>,
    v2: vec4<f32>,
    v3: vec4<f32>,
    taps0: vec4<f32>,
    taps1: vec4<f32>,
}

/// The channels from `first` on.
fn load_step(first: u32, brings: Brings, of_images: Images) -> Loaded {
    var loaded = Loaded();
    loaded.v0 = inputs_at(brings.near, first, of_images);
    loaded.v1 = inputs_at(brings.near, first + 1u, of_images);
    if TAPS == 3u {
        loaded.v2 = inputs_at(brings.near, first + 2u, of_images);
        loaded.v3 = inputs_at(brings.near, first + 3u, of_images);
    } else {
        loaded.v2 = inputs_at(brings.far, first, of_images);
        loaded.v3 = inputs_at(brings.far, first + 1u, of_images);
    }
    loaded.taps0 = weights_at(brings.tap0, first, of_images);
    loaded.taps1 = weights_at(brings.tap1, first, of_images);
    return loaded;
}

/// Writes a step to workgroup memory. Barriers go around the call.
fn share(loaded: Loaded, local: u32) {
    tile[local] = loaded.v0;
    tile[PLANE + local] = loaded.v1;
    if TAPS == 3u {
        tile[2u * PLANE + local] = loaded.v2;
        tile[3u * PLANE + local] = loaded.v3;
    } else if local + INVOCATIONS < PLANE {
        tile[local + INVOCATIONS] = loaded.v2;
        tile[PLANE + local + INVOCATIONS] = loaded.v3;
    }
    if local < WEIGHTS {
        weights[local] = loaded.taps0;
    }
    if local + INVOCATIONS < WEIGHTS {
        weights[local + INVOCATIONS] = loaded.taps1;
    }
}

/// Adds one column of the kernel: four pixels times each channel's weight.
fn add_tap(sums: ptr<function, Sums>, inputs: vec4<f32>, at: u32) {
    let first = weights[at];
    (*sums).c0 += first.x * inputs;
    (*sums).c1 += first.y * inputs;
    (*sums).c2 += first.z * inputs;
    (*sums).c3 += first.w * inputs;
    if OWN > 4u {
        let second = weights[at + 1u];
        (*sums).c4 += second.x * inputs;
        if OWN > 5u {
            (*sums).c5 += second.y * inputs;
            (*sums).c6 += second.z * inputs;
            (*sums).c7 += second.w * inputs;
        }
    }
}

/// Adds a row of the kernel: its inputs begin at tile[at], the team's weights at `of_row`.
fn add_row(sums: ptr<function, Sums>, at: u32, of_row: u32) {
    let a = tile[at];
    let b = tile[at + 1u];
    add_tap(sums, a, of_row);
    add_tap(sums, vec4<f32>(a.yzw, b.x), of_row + VECTORS);
    add_tap(sums, vec4<f32>(a.zw, b.xy), of_row + 2u * VECTORS);
    if TAPS > 3u {
        add_tap(sums, vec4<f32>(a.w, b.xyz), of_row + 3u * VECTORS);
        add_tap(sums, b, of_row + 4u * VECTORS);
    }
}

/// Adds `depth` channels of a step, in order; the invocation's first input is tile[at], its team's first vector of a
/// tap `team`.
fn add_step(sums: ptr<function, Sums>, at: u32, team: u32, row_stride: u32, depth: u32) {
    let row = TAPS * VECTORS;
    for (var s = 0u; s < depth; s += 1u) {
        let i = at + s * PLANE;
        let first = s * TAPS * row + team;
        add_row(sums, i, first);
        add_row(sums, i + row_stride, first + row);
        add_row(sums, i + 2u * row_stride, first + 2u * row);
        if TAPS > 3u {
            add_row(sums, i + 3u * row_stride, first + 3u * row);
            add_row(sums, i + 4u * row_stride, first + 4u * row);
        }
    }
}

/// Where an invocation writes: the first of four pixels, `count` of which or more there are.
struct Own {
    image: u32,
    i: u32,
    count: u32,
}

/// What becomes of the sums of four pixels of a channel.
fn finished(own: Own, channel: u32, sums: vec4<f32>, of_images: Images) -> vec4<f32> {
    if of_images.turned {
        if params.relu == 0u {
            return sums;
        }
        let plane = own.image * params.mask_channels + params.mask_first + channel;
        let at = plane * of_images.rows * of_images.columns + own.i;
        let last = min(own.count, 4u) - 1u;
        let mask = vec4<f32>(
            bias_or_mask[at], bias_or_mask[at + min(last, 1u)],
            bias_or_mask[at + min(last, 2u)], bias_or_mask[at + min(last, 3u)],
        );
        return select(vec4<f32>(), sums, mask > vec4<f32>());
    }
    let values = sums + bias_or_mask[channel];
    return select(values, relu4(values), params.relu != 0u);
}

/// Writes the pixels of channel `channel`, the team's number `number`.
fn store(own: Own, number: u32, channel: u32, sums: vec4<f32>, of_images: Images) {
    if number < OWN && channel < of_images.targets {
        let plane = own.image * of_images.target_channels + of_images.target_first + channel;
        let to = plane * of_images.rows * of_images.columns + own.i;
        store_four(to, own.count, finished(own, channel, sums, of_images));
    }
}

fn store_all(own: Own, channel: u32, sums: Sums, of_images: Images) {
    store(own, 0u, channel, sums.c0, of_images);
    store(own, 1u, channel + 1u, sums.c1, of_images);
    store(own, 2u, channel + 2u, sums.c2, of_images);
    store(own, 3u, channel + 3u, sums.c3, of_images);
    store(own, 4u, channel + 4u, sums.c4, of_images);
    store(own, 5u, channel + 5u, sums.c5, of_images);
    store(own, 6u, channel + 6u, sums.c6, of_images);
    store(own, 7u, channel + 7u, sums.c7, of_images);
}

/// Computes workgroup `i` of a convolution.
fn convolve(i: u32, of_images: Images, local: u32) {
    let block = block_of(i, of_images);
    let lane = local % 64u;
    let team = local / 64u;
    let row = block.first + min(lane / block.quads, block.count - 1u);
    let quad = lane % block.quads;
    let row_stride = block.quads + 1u;
    let own_first = (spread(row, of_images) - spread(block.first, of_images)) * row_stride + quad;
    let brings = Brings(
        place(local, block, of_images), place(local + INVOCATIONS, block, of_images),
        tap(local, block, of_images), tap(local + INVOCATIONS, block, of_images),
    );
    var sums = Sums();
    var loaded = load_step(0u, brings, of_images);
    for (var first = 0u; first < of_images.sources; first += DEPTH) {
        workgroupBarrier();
        share(loaded, local);
        workgroupBarrier();
        // Behind the last step nothing is inside: a branch would keep registers apart.
        loaded = load_step(first + DEPTH, brings, of_images);
        add_step(&sums, own_first, team * OWN_VECTORS, row_stride, min(of_images.sources - first, DEPTH));
    }
    let image = row / of_images.rows;
    let column = block.column + quad * 4u;
    let own = Own(image, row % of_images.rows * of_images.columns + column, of_images.columns - column);
    if lane < block.count * block.quads && image < params.n && column < of_images.columns {
        store_all(own, block.channel + team * OWN, sums, of_images);
    }
}

@compute @workgroup_size(128)
fn conv2d_forward_shared_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    convolve(workgroup_index(group, groups), forward_images(), local);
}

@compute @workgroup_size(128)
fn conv2d_backward_input_shared_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    convolve(workgroup_index(group, groups), backward_images(), local);
}
