// conv2d weight gradient of kernels of one pixel at stride 1, for GPUs, where channels are few and images and shares hold
// whole vectors: each number is the sum of a workgroup, whose invocations take four pixels at a time.
//
// partial[s, ci, co] = sum over the pixels (n, p) of share s of x[n,ci,p] dy[n,co,p]; the last row of a share is the
// bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_in, w_in): channel ranges from *_first on.
// partial (splits, c_in + 1, c_out).
//
// A workgroup computes an input channel and four output channels of a share, and with the first input channel their bias.

const LANES: u32 = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

var<workgroup> weights: array<vec4<f32>, LANES>;
var<workgroup> biases: array<vec4<f32>, LANES>;

/// The numbers of four output channels: of each the sums of every fourth pixel.
struct Sums {
    c0: vec4<f32>,
    c1: vec4<f32>,
    c2: vec4<f32>,
    c3: vec4<f32>,
}

fn total(four: vec4<f32>) -> f32 {
    return (four.x + four.y) + (four.z + four.w);
}

fn totals(sums: Sums) -> vec4<f32> {
    return vec4<f32>(total(sums.c0), total(sums.c1), total(sums.c2), total(sums.c3));
}

/// Writes the numbers of a row of a share, from column `co` on.
fn store(split: u32, row: u32, co: u32, four: vec4<f32>) {
    let to = (split * (params.c_in + 1u) + row) * params.c_out;
    for (var c = 0u; c < 4u; c += 1u) {
        if split < params.splits && co + c < params.c_out {
            partial[to + co + c] = four[c];
        }
    }
}

@compute @workgroup_size(LANES)
fn conv2d_backward_weight_pointwise_few(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Blocks of one share lie together in the grid: they read the same pixels.
    let column_blocks = (params.c_out + 3u) / 4u;
    let i = workgroup_index(group, groups);
    let co = i % column_blocks * 4u;
    let ci = i / column_blocks % params.c_in;
    let split = i / column_blocks / params.c_in;

    // Vectors of an image, of all images and of the share.
    let plane = params.h_in * params.w_in / 4u;
    let all = params.n * plane;
    let share = params.share_rows * params.w_in / 4u;
    let begin = min(split * share, all);
    let end = min(begin + share, all);

    // Behind the last channel the last is summed.
    let x_first = (params.x_first + ci) * plane;
    let dy_first = (params.y_first + co) * plane;
    let behind = min(vec3<u32>(1u, 2u, 3u), vec3<u32>(params.c_out - 1u - co)) * plane;
    var image = (begin + local) / plane;
    var pixel = (begin + local) % plane;
    let images_each = LANES / plane;
    let pixels_each = LANES % plane;
    let x_image = params.x_channels * plane;
    let dy_image = params.y_channels * plane;
    var products = Sums();
    var gradients = Sums();
    for (var quad = begin + local; quad < end; quad += LANES) {
        let input = x[image * x_image + x_first + pixel];
        let at = image * dy_image + dy_first + pixel;
        let gradient0 = dy[at];
        let gradient1 = dy[at + behind.x];
        let gradient2 = dy[at + behind.y];
        let gradient3 = dy[at + behind.z];
        products.c0 += input * gradient0;
        products.c1 += input * gradient1;
        products.c2 += input * gradient2;
        products.c3 += input * gradient3;
        gradients.c0 += gradient0;
        gradients.c1 += gradient1;
        gradients.c2 += gradient2;
        gradients.c3 += gradient3;
        pixel += pixels_each;
        let ended = pixel >= plane;
        image += images_each + select(0u, 1u, ended);
        pixel -= select(0u, plane, ended);
    }
    weights[local] = totals(products);
    biases[local] = totals(gradients);
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if local < half {
            weights[local] += weights[local + half];
            biases[local] += biases[local + half];
        }
        workgroupBarrier();
    }
    if local == 0u {
        store(split, ci, co, weights[0]);
        if ci == 0u {
            store(split, params.c_in, co, biases[0]);
        }
    }
}
