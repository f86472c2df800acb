// conv2d with kernels of one pixel at stride 1, for GPUs: a product of all pixels by the channels.
//
// forward:        y[n,co,p] = relu(bias[co] + sum x[n,ci,p] w[ci,co])
// backward input: grad_x[n,ci,p] = sum dy[n,co,p] w[ci,co], zero where the ReLU before (relu_mask) was closed
//
// Both are one sum, from x or dy (source) to y or grad_x (result); what goes in besides is the bias or the mask.
//
// x, grad_x (n, x_channels, h_in, w_in), y, dy (n, y_channels, h_in, w_in), relu_mask (n, mask_channels, h_in,
// w_in): channel ranges from *_first on; w (c_in, c_out); bias (c_out).
//
// A workgroup computes 4 GROUP_PIXELS pixels, of all images one behind the other, in 4 CHANNEL_VECTORS GROUP_CHANNELS
// channels. A step of the sum takes DEPTH terms, channels that are read: each invocation loads one or two vectors of
// either operand while it sums those of the step before, and then stages them. An invocation owns four pixels in four
// neighbouring channels, and in the four that lie 4 GROUP_CHANNELS further on, if it has them. Where there are teams, each
// sums its share of a step's terms; at the end each adds up and stores one channel of the four.

override DEPTH: u32;
/// One or four.
override TEAMS: u32;
override GROUP_PIXELS: u32;
override GROUP_CHANNELS: u32;
/// One, or two where there is one team.
override CHANNEL_VECTORS: u32;

/// Invocations of a team.
override MEMBERS: u32 = GROUP_PIXELS * GROUP_CHANNELS;
override INVOCATIONS: u32 = TEAMS * MEMBERS;
/// Vectors of channels of a tile.
override TILE_CHANNELS: u32 = CHANNEL_VECTORS * GROUP_CHANNELS;
/// Terms that the invocations load at once, of pixels and of weights; if a step has more, it has twice as many.
override PIXEL_TERMS: u32 = INVOCATIONS / GROUP_PIXELS;
override WEIGHT_TERMS: u32 = INVOCATIONS / TILE_CHANNELS;
/// Terms of a step that a team sums.
override SHARE: u32 = DEPTH / TEAMS;
/// An odd step keeps stores to workgroup memory free of bank conflicts.
override WEIGHT_STRIDE: u32 = TILE_CHANNELS + 1u;
// naga wants a name for what an array's length is.
override PIXELS: u32 = DEPTH * GROUP_PIXELS;
override WEIGHTS: u32 = DEPTH * WEIGHT_STRIDE;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<Stored>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias_or_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<Stored>;

/// Four pixels v at term t: pixels[t * GROUP_PIXELS + v]; four channels v: weights[t * WEIGHT_STRIDE + v].
var<workgroup> pixels: array<vec4<f32>, PIXELS>;
var<workgroup> weights: array<vec4<f32>, WEIGHTS>;

/// The product of a pass.
struct Product {
    /// Is it the gradient of the input?
    backward: bool,
    /// Channels that are read: those of the buffer, the first of the layer, and how many.
    source_channels: u32,
    source_first: u32,
    terms: u32,
    /// Channels that are written.
    target_channels: u32,
    target_first: u32,
    targets: u32,
    /// Weights from a channel that is read to the next, and from one that is written.
    term_stride: u32,
    target_stride: u32,
}

fn forward_product() -> Product {
    return Product(
        false, params.x_channels, params.x_first, params.c_in, params.y_channels, params.y_first, params.c_out,
        params.c_out, 1u,
    );
}

fn backward_product() -> Product {
    return Product(
        true, params.y_channels, params.y_first, params.c_out, params.x_channels, params.x_first, params.c_in,
        1u, params.c_out,
    );
}

/// Four pixels of an invocation in eight channels, of which the last four may be no code at all.
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

/// What an invocation has loaded for one step, on its way to workgroup memory.
struct Loaded {
    pixels0: vec4<f32>,
    pixels1: vec4<f32>,
    weights0: vec4<f32>,
    weights1: vec4<f32>,
}

/// Where an invocation loads in the first terms of a sum: pixels and weights, and how far behind them the second ones
/// lie.
struct Reads {
    pixels: Places,
    more_pixels: u32,
    weights: vec4<u32>,
    more_weights: u32,
}

/// Pixels of all images.
fn all_pixels() -> u32 {
    return params.n * params.h_in * params.w_in;
}

/// An image of one channel, in Stored.
fn plane() -> u32 {
    return params.h_in * params.w_in / UNIT;
}

/// Where pixel `first` of all images and its neighbours lie in channel `channel` of a buffer.
fn places(first: u32, channels: u32, channel: u32) -> Places {
    let size = params.h_in * params.w_in;
    let four = four_pixels(first, all_pixels());
    return ((four / size * channels + channel) * size + four % size) / UNIT;
}

/// Four weights of a term, those of the channels from `channel` on that are written; behind the last that of the last.
fn weights_of(channel: u32, product: Product) -> vec4<u32> {
    let near = min(channel + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(product.targets - 1u));
    return near * product.target_stride;
}

/// Of weights an invocation loads the vector of channels `vector` at term `of_weights`. A short sum has one step: behind
/// its last term that one is loaded again.
fn reads_of(pixel: u32, channel: u32, product: Product, of_weights: u32, vector: u32, local: u32) -> Reads {
    let last = product.terms - 1u;
    let of_pixels = local / GROUP_PIXELS;
    let near_pixels = min(of_pixels, last);
    let near_weights = min(of_weights, last);
    let first = pixel + local % GROUP_PIXELS * 4u;
    return Reads(
        places(first, product.source_channels, product.source_first) + near_pixels * plane(),
        (min(of_pixels + PIXEL_TERMS, last) - near_pixels) * plane(),
        weights_of(channel + vector * 4u, product) + near_weights * product.term_stride,
        (min(of_weights + WEIGHT_TERMS, last) - near_weights) * product.term_stride,
    );
}

fn weight_four(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(w[at.x], w[at.y], w[at.z], w[at.w]);
}

/// One step: `count` terms from `term` on. Behind them the pixels are zero.
fn load_step(reads: Reads, term: u32, count: u32, product: Product, local: u32) -> Loaded {
    let of_pixels = local / GROUP_PIXELS;
    let from_pixels = reads.pixels + term * plane();
    let from_weights = reads.weights + term * product.term_stride;
    var loaded = Loaded();
    loaded.pixels0 = select(vec4<f32>(), source_four(from_pixels), (count == DEPTH) | (of_pixels < count));
    if DEPTH > PIXEL_TERMS {
        let inside = (count == DEPTH) | (of_pixels + PIXEL_TERMS < count);
        loaded.pixels1 = select(vec4<f32>(), source_four(from_pixels + reads.more_pixels), inside);
    }
    loaded.weights0 = weight_four(from_weights);
    if DEPTH > WEIGHT_TERMS {
        loaded.weights1 = weight_four(from_weights + reads.more_weights);
    }
    return loaded;
}

/// Writes a step to workgroup memory, its weights to vector `to`. Barriers go around the call.
fn stage(loaded: Loaded, to: u32, local: u32) {
    pixels[local] = loaded.pixels0;
    if DEPTH > PIXEL_TERMS {
        pixels[local + INVOCATIONS] = loaded.pixels1;
    }
    weights[to] = loaded.weights0;
    if DEPTH > WEIGHT_TERMS {
        weights[to + WEIGHT_TERMS * WEIGHT_STRIDE] = loaded.weights1;
    }
}

fn add_products(sums: ptr<function, Sums>, inputs: vec4<f32>, near: vec4<f32>) {
    (*sums).c0 += near.x * inputs;
    (*sums).c1 += near.y * inputs;
    (*sums).c2 += near.z * inputs;
    (*sums).c3 += near.w * inputs;
}

/// Adds a term, whose vectors lie there.
fn add_term(sums: ptr<function, Sums>, of_pixels: u32, of_weights: u32) {
    let near = weights[of_weights];
    var far = vec4<f32>();
    if CHANNEL_VECTORS > 1u {
        far = weights[of_weights + GROUP_CHANNELS];
    }
    let inputs = pixels[of_pixels];
    add_products(sums, inputs, near);
    if CHANNEL_VECTORS > 1u {
        (*sums).c4 += far.x * inputs;
        (*sums).c5 += far.y * inputs;
        (*sums).c6 += far.z * inputs;
        (*sums).c7 += far.w * inputs;
    }
}

/// Who an invocation is: its team, and its vectors of pixels and channels in the tile.
struct Member {
    team: u32,
    pixels: u32,
    channels: u32,
}

fn member_of(local: u32) -> Member {
    return Member(local / MEMBERS, local % GROUP_PIXELS, local % MEMBERS / GROUP_PIXELS);
}

/// The sums of an invocation, for the tile that begins at that pixel and channel.
fn sum_up(pixel: u32, channel: u32, product: Product, of_weights: u32, vector: u32, local: u32) -> Sums {
    let reads = reads_of(pixel, channel, product, of_weights, vector, local);
    let to = of_weights * WEIGHT_STRIDE + vector;
    let member = member_of(local);
    let own_pixels = member.team * SHARE * GROUP_PIXELS + member.pixels;
    let own_weights = member.team * SHARE * WEIGHT_STRIDE + member.channels;
    var sums = Sums();
    // The first step takes so many terms that all others take DEPTH, which need no bounds.
    var count = (product.terms - 1u) % DEPTH + 1u;
    var loaded = load_step(reads, 0u, count, product, local);
    for (var term = 0u; term < product.terms;) {
        workgroupBarrier();
        stage(loaded, to, local);
        workgroupBarrier();
        term += count;
        count = DEPTH;
        // Behind the last step the first terms are loaded once more: a branch would keep registers apart.
        loaded = load_step(reads, select(0u, term, term < product.terms), DEPTH, product, local);
        for (var t = 0u; t < SHARE; t += 4u) {
            let p = own_pixels + t * GROUP_PIXELS;
            let c = own_weights + t * WEIGHT_STRIDE;
            add_term(&sums, p, c);
            add_term(&sums, p + GROUP_PIXELS, c + WEIGHT_STRIDE);
            add_term(&sums, p + 2u * GROUP_PIXELS, c + 2u * WEIGHT_STRIDE);
            add_term(&sums, p + 3u * GROUP_PIXELS, c + 3u * WEIGHT_STRIDE);
        }
    }
    return sums;
}

/// Adds up one channel over the teams, for those of team `team`; all others keep what they have.
fn over_teams(before: vec4<f32>, own: vec4<f32>, team: u32, local: u32) -> vec4<f32> {
    workgroupBarrier();
    pixels[local] = own;
    workgroupBarrier();
    var sum = before;
    if local / MEMBERS == team {
        for (var i = local % MEMBERS; i < INVOCATIONS; i += MEMBERS) {
            sum += pixels[i];
        }
    }
    return sum;
}

/// Where an invocation writes: four pixels in the first channel of the layer, `count` of which or more there are.
struct Own {
    to: Places,
    mask: Places,
    count: u32,
}

fn own_of(pixel: u32, product: Product) -> Own {
    let all = all_pixels();
    return Own(
        places(pixel, product.target_channels, product.target_first),
        places(pixel, params.mask_channels, params.mask_first),
        max(all, pixel) - pixel,
    );
}

/// What becomes of four sums of a channel.
fn finished(own: Own, channel: u32, sum: vec4<f32>, product: Product) -> vec4<f32> {
    if product.backward {
        if params.relu == 0u {
            return sum;
        }
        return select(vec4<f32>(), sum, mask_four(own.mask + channel * plane()) > vec4<f32>());
    }
    let value = sum + bias_or_mask[channel];
    if params.relu == 0u {
        return value;
    }
    return relu4(value);
}

fn store(own: Own, channel: u32, sum: vec4<f32>, product: Product) {
    if own.count > 0u && channel < product.targets {
        store_four(own.to + channel * plane(), own.count, finished(own, channel, sum, product));
    }
}

/// Computes workgroup `i` of a product.
fn multiply(i: u32, product: Product, of_weights: u32, vector: u32, local: u32) {
    // Blocks of channels are fastest in the grid: they read the same pixels.
    let channel_blocks = (product.targets + 4u * TILE_CHANNELS - 1u) / (4u * TILE_CHANNELS);
    let pixel = i / channel_blocks * 4u * GROUP_PIXELS;
    let first = i % channel_blocks * 4u * TILE_CHANNELS;
    let sums = sum_up(pixel, first, product, of_weights, vector, local);
    let member = member_of(local);
    let own = own_of(pixel + 4u * member.pixels, product);
    let channel = first + 4u * member.channels;
    if TEAMS > 1u {
        var sum = over_teams(vec4<f32>(), sums.c0, 0u, local);
        sum = over_teams(sum, sums.c1, 1u, local);
        sum = over_teams(sum, sums.c2, 2u, local);
        sum = over_teams(sum, sums.c3, 3u, local);
        store(own, channel + member.team, sum, product);
    } else {
        store(own, channel, sums.c0, product);
        store(own, channel + 1u, sums.c1, product);
        store(own, channel + 2u, sums.c2, product);
        store(own, channel + 3u, sums.c3, product);
        if CHANNEL_VECTORS > 1u {
            let far = channel + 4u * GROUP_CHANNELS;
            store(own, far, sums.c4, product);
            store(own, far + 1u, sums.c5, product);
            store(own, far + 2u, sums.c6, product);
            store(own, far + 3u, sums.c7, product);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn conv2d_forward_pointwise(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Lanes run along the channels that are written: their weights lie in a row.
    let i = workgroup_index(group, groups);
    multiply(i, forward_product(), local / TILE_CHANNELS, local % TILE_CHANNELS, local);
}

@compute @workgroup_size(INVOCATIONS)
fn conv2d_backward_input_pointwise(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Lanes run along the terms.
    let i = workgroup_index(group, groups);
    multiply(i, backward_product(), local % WEIGHT_TERMS, local / WEIGHT_TERMS, local);
}

/// Few terms: an invocation computes four pixels of four channels on its own, without workgroup memory.
@compute @workgroup_size(INVOCATIONS)
fn conv2d_forward_pointwise_few(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let product = forward_product();
    let blocks = (all_pixels() + 4u * INVOCATIONS - 1u) / (4u * INVOCATIONS);
    let i = workgroup_index(group, groups);
    let pixel = (i % blocks * INVOCATIONS + local) * 4u;
    let channel = i / blocks * 4u;
    var at = places(pixel, product.source_channels, product.source_first);
    var of_weights = weights_of(channel, product);
    var sums = Sums();
    for (var term = 0u; term < product.terms; term += 1u) {
        add_products(&sums, source_four(at), weight_four(of_weights));
        at += plane();
        of_weights += product.term_stride;
    }
    let own = own_of(pixel, product);
    store(own, channel, sums.c0, product);
    store(own, channel + 1u, sums.c1, product);
    store(own, channel + 2u, sums.c2, product);
    store(own, channel + 3u, sums.c3, product);
}
