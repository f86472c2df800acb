// depthwise_conv2d weight gradient with stride 1 and 'same' columns (TAPS = kw wide, TAPS / 2 of padding on the
// left) where rows hold whole vectors: three loads of vectors of x and one of dy feed TAPS sums of four.
//
// partial[s, ky,kx, co] = sum over the images n of share s and all outputs of
//     x[n,co / m,oy+ky-top,ox+kx-left] dy[n,co,oy,ox], m = c_out / c_in; the last row of a share is the bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out): channel ranges from *_first on; w_in = w_out
// is a multiple of 4. partial (splits, kh * TAPS + 1, c_out). An invocation (rows) or a workgroup (tree)
// owns the numbers of one row ky of the kernel of one channel of one share, or those of its bias.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

var<workgroup> fours: array<vec4<f32>, WORKGROUP>;
var<workgroup> fifths: array<f32, WORKGROUP>;

/// The sums of up to five taps.
struct Five {
    four: vec4<f32>,
    fifth: f32,
}

/// Which row of which kernel; the row behind the last is the bias.
struct Owner {
    split: u32,
    ky: u32,
    co: u32,
}

fn owner(i: u32) -> Owner {
    let rows = params.kh + 1u;
    return Owner(i / params.c_out / rows, i / params.c_out % rows, i % params.c_out);
}

/// What the taps see of the row of x whose first vector is `row`, around its vector `column`.
fn x_under(row: u32, column: u32) -> Pixels {
    let last = params.w_in / 4u - 1u;
    let before = select(vec4<f32>(), x[row + max(column, 1u) - 1u], column > 0u);
    let after = select(vec4<f32>(), x[row + min(column + 1u, last)], column < last);
    return under_taps(before, x[row + column], after);
}

fn total(four: vec4<f32>) -> f32 {
    return (four.x + four.y) + (four.z + four.w);
}

/// The sums of an owner over the vectors `first`, `first + step` and so on of its share; of the bias the first.
fn sums_of(own: Owner, first: u32, step: u32) -> Five {
    let vectors = params.w_in / 4u;
    let channel = params.x_first + own.co / (params.c_out / params.c_in);
    let share = (params.n + params.splits - 1u) / params.splits;
    let end = min((own.split + 1u) * share, params.n);
    let by = place(step, params.h_out, vectors);
    var at = place(first, params.h_out, vectors);
    at.image += own.split * share;
    var sums = Pixels();
    while at.image < end {
        let gradients = (at.image * params.y_channels + params.y_first + own.co) * params.h_out + at.row;
        let gradient = dy[gradients * vectors + at.column];
        let iy = at.row + own.ky - params.pad_top;
        if own.ky == params.kh {
            sums.t0 += gradient;
        } else if iy < params.h_in {
            let inputs = (at.image * params.x_channels + channel) * params.h_in + iy;
            let under = x_under(inputs * vectors, at.column);
            sums.t0 += under.t0 * gradient;
            sums.t1 += under.t1 * gradient;
            sums.t2 += under.t2 * gradient;
            if TAPS > 3u {
                sums.t3 += under.t3 * gradient;
                sums.t4 += under.t4 * gradient;
            }
        }
        at = advance(at, by, params.h_out, vectors);
    }
    return Five(vec4<f32>(total(sums.t0), total(sums.t1), total(sums.t2), total(sums.t3)), total(sums.t4));
}

/// Writes the numbers of an owner.
fn store(own: Owner, sums: Five) {
    if own.split < params.splits {
        let to = (own.split * (params.kh * TAPS + 1u) + own.ky * TAPS) * params.c_out + own.co;
        partial[to] = sums.four.x;
        if own.ky < params.kh {
            partial[to + params.c_out] = sums.four.y;
            partial[to + 2u * params.c_out] = sums.four.z;
            if TAPS > 3u {
                partial[to + 3u * params.c_out] = sums.four.w;
                partial[to + 4u * params.c_out] = sums.fifth;
            }
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn depthwise_conv2d_backward_weight_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let own = owner(workgroup_index(group, groups) * WORKGROUP + local);
    store(own, sums_of(own, 0u, 1u));
}

@compute @workgroup_size(WORKGROUP)
fn depthwise_conv2d_backward_weight_rows_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let own = owner(workgroup_index(group, groups));
    let sums = sums_of(own, local, WORKGROUP);
    fours[local] = sums.four;
    fifths[local] = sums.fifth;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half {
            fours[local] += fours[local + half];
            fifths[local] += fifths[local + half];
        }
        workgroupBarrier();
    }
    if local == 0u {
        store(own, Five(fours[0], fifths[0]));
    }
}
