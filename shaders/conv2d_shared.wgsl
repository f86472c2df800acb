// conv2d as an implicit matrix product in tiles over workgroup memory, for GPUs: any kernel size,
// stride and padding.
//
// forward:        y[n,co,oy,ox] = relu(bias[co] + sum x[n,ci,oy*s+ky-top,ox*s+kx-left] w[ky,kx,ci,co])
// backward input: grad_x[n,ci,iy,ix] = sum dy[n,co,oy,ox] w[ky,kx,ci,co] over the outputs that read it,
//                 zero where the ReLU before (relu_mask) was closed.
//
// x, grad_x (n, x_channels, h_in, w_in), y, dy (n, y_channels, h_out, w_out), relu_mask (n,
// mask_channels, h_in, w_in): channel ranges from *_first on; w (kh, kw, c_in, c_out); bias (c_out).
//
// A workgroup computes 128 pixels (of all images in a row) of 2 * HALF channels. The sum runs over the
// terms (ky, kx, channel), 8 a step. pixels[d * 32 + g] holds pixels g, g + 32, g + 64 and g + 96 at
// term d, so that lanes load neighbours; weights[d * 4 + v] holds four channels, of which each half of
// the workgroup uses two vectors. An invocation owns the pixels of one vector in HALF channels.

/// Channels of half a workgroup: 5 or 8.
override HALF: u32;

const DEPTH: u32 = 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<f32>;

var<workgroup> pixels: array<vec4<f32>, DEPTH * 32u>;
var<workgroup> weights: array<vec4<f32>, DEPTH * 4u>;

/// Four pixels of eight channels.
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

/// What an invocation has loaded for one step, on its way to workgroup memory: four terms of its
/// pixels, and in the first 32 invocations four weights.
struct Loaded {
    term0: vec4<f32>,
    term1: vec4<f32>,
    term2: vec4<f32>,
    term3: vec4<f32>,
    weights: vec4<f32>,
}

/// Where four pixels lie: image, row and column; `inside` says which exist.
struct Place {
    image: vec4<u32>,
    row: vec4<u32>,
    column: vec4<u32>,
    inside: vec4<bool>,
}

/// One term of the sum.
struct Term {
    ky: u32,
    kx: u32,
    channel: u32,
}

/// Pixels first + 32 i of images of that size.
fn place(first: u32, height: u32, width: u32) -> Place {
    let i = vec4<u32>(first, first + 32u, first + 64u, first + 96u);
    let size = height * width;
    let inside = i < vec4<u32>(params.n * size);
    return Place(i / size, i % size / width, i % width, inside);
}

fn term(i: u32, channels: u32) -> Term {
    return Term(i / channels / params.kw, i / channels % params.kw, i % channels);
}

fn next_term(at: Term, channels: u32) -> Term {
    var next = Term(at.ky, at.kx, at.channel + 1u);
    if next.channel == channels {
        next.channel = 0u;
        next.kx += 1u;
    }
    if next.kx == params.kw {
        next.kx = 0u;
        next.ky += 1u;
    }
    return next;
}

/// The channels of a workgroup that the weight vector `vector` holds start here, before the block's.
fn vector_channel(vector: u32) -> u32 {
    return vector / 2u * HALF + vector % 2u * 4u;
}

/// Writes a step to workgroup memory. Barriers go around the call.
fn share(loaded: Loaded, local: u32) {
    let to = local / 32u * 128u + local % 32u;
    pixels[to] = loaded.term0;
    pixels[to + 32u] = loaded.term1;
    pixels[to + 64u] = loaded.term2;
    pixels[to + 96u] = loaded.term3;
    if local < 32u {
        weights[local % 8u * 4u + local / 8u] = loaded.weights;
    }
}

/// Adds the 8 terms in workgroup memory, in order; channels behind HALF are no code at all.
fn add_step(sums: ptr<function, Sums>, local: u32) {
    for (var d = 0u; d < DEPTH; d += 1u) {
        let four = pixels[d * 32u + local % 32u];
        let low = weights[d * 4u + local / 32u * 2u];
        let high = weights[d * 4u + local / 32u * 2u + 1u];
        (*sums).c0 += low.x * four;
        (*sums).c1 += low.y * four;
        (*sums).c2 += low.z * four;
        (*sums).c3 += low.w * four;
        (*sums).c4 += high.x * four;
        if HALF > 5u {
            (*sums).c5 += high.y * four;
            (*sums).c6 += high.z * four;
            (*sums).c7 += high.w * four;
        }
    }
}

/// One term of the input at four output pixels; zero outside, where a coordinate wrapped or ran over.
fn input(at: Place, tap: Term) -> vec4<f32> {
    let row = at.row * params.stride_h + (tap.ky - params.pad_top);
    let column = at.column * params.stride_w + (tap.kx - params.pad_left);
    let inside = at.inside & (row < vec4<u32>(params.h_in)) & (column < vec4<u32>(params.w_in))
        & vec4<bool>(tap.ky < params.kh);
    let plane = at.image * params.x_channels + (params.x_first + tap.channel);
    let i = select(vec4<u32>(), (plane * params.h_in + row) * params.w_in + column, inside);
    return select(vec4<f32>(), vec4<f32>(x[i.x], x[i.y], x[i.z], x[i.w]), inside);
}

/// The weight of a term and an output channel; zero outside.
fn forward_weight(i: u32, co: u32) -> f32 {
    let inside = (i < params.kh * params.kw * params.c_in) & (co < params.c_out);
    return select(0.0, w[select(0u, i * params.c_out + co, inside)], inside);
}

/// A step of the sum from term `first` on.
fn load_forward(at: Place, first: u32, channel: u32, local: u32) -> Loaded {
    let tap0 = term(first + local / 32u * 4u, params.c_in);
    let tap1 = next_term(tap0, params.c_in);
    let tap2 = next_term(tap1, params.c_in);
    let tap3 = next_term(tap2, params.c_in);
    var loaded = Loaded(input(at, tap0), input(at, tap1), input(at, tap2), input(at, tap3), vec4<f32>());
    if local < 32u {
        let i = first + local % 8u;
        let co = channel + vector_channel(local / 8u);
        loaded.weights = vec4<f32>(
            forward_weight(i, co), forward_weight(i, co + 1u), forward_weight(i, co + 2u), forward_weight(i, co + 3u),
        );
    }
    return loaded;
}

/// Writes four pixels of output channel co.
fn store_forward(at: Place, co: u32, sums: vec4<f32>) {
    if co < params.c_out {
        var values = sums + bias[co];
        if params.relu != 0u {
            values = relu4(values);
        }
        let plane = at.image * params.y_channels + (params.y_first + co);
        let to = (plane * params.h_out + at.row) * params.w_out + at.column;
        if at.inside.x {
            y[to.x] = values.x;
        }
        if at.inside.y {
            y[to.y] = values.y;
        }
        if at.inside.z {
            y[to.z] = values.z;
        }
        if at.inside.w {
            y[to.w] = values.w;
        }
    }
}

@compute @workgroup_size(64)
fn conv2d_forward_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Channel blocks are fastest in the grid: they read the same pixels.
    let i = workgroup_index(group, groups);
    let blocks = (params.c_out + 2u * HALF - 1u) / (2u * HALF);
    let channel = i % blocks * 2u * HALF;
    let at = place(i / blocks * 128u + local % 32u, params.h_out, params.w_out);
    let terms = params.kh * params.kw * params.c_in;
    var sums = Sums();
    var loaded = load_forward(at, 0u, channel, local);
    for (var first = 0u; first < terms; first += DEPTH) {
        workgroupBarrier();
        share(loaded, local);
        workgroupBarrier();
        loaded = load_forward(at, first + DEPTH, channel, local);
        add_step(&sums, local);
    }
    let co = channel + local / 32u * HALF;
    store_forward(at, co, sums.c0);
    store_forward(at, co + 1u, sums.c1);
    store_forward(at, co + 2u, sums.c2);
    store_forward(at, co + 3u, sums.c3);
    store_forward(at, co + 4u, sums.c4);
    if HALF > 5u {
        store_forward(at, co + 5u, sums.c5);
        store_forward(at, co + 6u, sums.c6);
        store_forward(at, co + 7u, sums.c7);
    }
}

/// One term of the output's gradient at four input pixels; zero where no output reads the pixel
/// through this tap.
fn gradient(at: Place, tap: Term) -> vec4<f32> {
    // Output row oy reads input row iy through tap ky where oy * stride = iy + top - ky.
    var row = at.row + (params.pad_top - tap.ky);
    var column = at.column + (params.pad_left - tap.kx);
    var inside = at.inside & vec4<bool>(tap.ky < params.kh);
    if params.stride_h != 1u || params.stride_w != 1u {
        inside &= (row % params.stride_h == vec4<u32>()) & (column % params.stride_w == vec4<u32>());
        row /= vec4<u32>(params.stride_h);
        column /= vec4<u32>(params.stride_w);
    }
    inside &= (row < vec4<u32>(params.h_out)) & (column < vec4<u32>(params.w_out));
    let plane = at.image * params.y_channels + (params.y_first + tap.channel);
    let i = select(vec4<u32>(), (plane * params.h_out + row) * params.w_out + column, inside);
    return select(vec4<f32>(), vec4<f32>(dy[i.x], dy[i.y], dy[i.z], dy[i.w]), inside);
}

/// The weight of a term and an input channel; zero outside.
fn backward_weight(tap: Term, ci: u32) -> f32 {
    let inside = (tap.ky < params.kh) & (ci < params.c_in);
    let i = ((tap.ky * params.kw + tap.kx) * params.c_in + ci) * params.c_out + tap.channel;
    return select(0.0, w[select(0u, i, inside)], inside);
}

/// A step of the sum from term `first` on.
fn load_backward(at: Place, first: u32, channel: u32, local: u32) -> Loaded {
    let tap0 = term(first + local / 32u * 4u, params.c_out);
    let tap1 = next_term(tap0, params.c_out);
    let tap2 = next_term(tap1, params.c_out);
    let tap3 = next_term(tap2, params.c_out);
    var loaded = Loaded(gradient(at, tap0), gradient(at, tap1), gradient(at, tap2), gradient(at, tap3), vec4<f32>());
    if local < 32u {
        let tap = term(first + local % 8u, params.c_out);
        let ci = channel + vector_channel(local / 8u);
        loaded.weights = vec4<f32>(
            backward_weight(tap, ci), backward_weight(tap, ci + 1u),
            backward_weight(tap, ci + 2u), backward_weight(tap, ci + 3u),
        );
    }
    return loaded;
}

/// Writes one pixel of grad_x.
fn store_pixel(image: u32, pixel: u32, ci: u32, sum: f32) {
    let size = params.h_in * params.w_in;
    var value = sum;
    if params.relu != 0u {
        let open = relu_mask[(image * params.mask_channels + params.mask_first + ci) * size + pixel] > 0.0;
        value = select(0.0, sum, open);
    }
    grad_x[(image * params.x_channels + params.x_first + ci) * size + pixel] = value;
}

/// Writes four pixels of input channel ci.
fn store_backward(at: Place, ci: u32, sums: vec4<f32>) {
    if ci < params.c_in {
        let pixel = at.row * params.w_in + at.column;
        if at.inside.x {
            store_pixel(at.image.x, pixel.x, ci, sums.x);
        }
        if at.inside.y {
            store_pixel(at.image.y, pixel.y, ci, sums.y);
        }
        if at.inside.z {
            store_pixel(at.image.z, pixel.z, ci, sums.z);
        }
        if at.inside.w {
            store_pixel(at.image.w, pixel.w, ci, sums.w);
        }
    }
}

@compute @workgroup_size(64)
fn conv2d_backward_input_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups);
    let blocks = (params.c_in + 2u * HALF - 1u) / (2u * HALF);
    let channel = i % blocks * 2u * HALF;
    let at = place(i / blocks * 128u + local % 32u, params.h_in, params.w_in);
    let terms = params.kh * params.kw * params.c_out;
    var sums = Sums();
    var loaded = load_backward(at, 0u, channel, local);
    for (var first = 0u; first < terms; first += DEPTH) {
        workgroupBarrier();
        share(loaded, local);
        workgroupBarrier();
        loaded = load_backward(at, first + DEPTH, channel, local);
        add_step(&sums, local);
    }
    let ci = channel + local / 32u * HALF;
    store_backward(at, ci, sums.c0);
    store_backward(at, ci + 1u, sums.c1);
    store_backward(at, ci + 2u, sums.c2);
    store_backward(at, ci + 3u, sums.c3);
    store_backward(at, ci + 4u, sums.c4);
    if HALF > 5u {
        store_backward(at, ci + 5u, sums.c5);
        store_backward(at, ci + 6u, sums.c6);
        store_backward(at, ci + 7u, sums.c7);
    }
}
