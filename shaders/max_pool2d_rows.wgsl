// Forward pass of max_pool2d with stride 1 and 'same' columns (TAPS = kw wide, TAPS / 2 of padding on the
// left) where rows hold whole vectors: three loads of vectors give a row under all windows of four outputs.
//
// y[n,c,oy,ox] = the largest x in the window around (oy, ox).
//
// x (n, x_channels, h_in, w_in) and y (n, y_channels, h_out, w_out), of which c channels from x_first and
// y_first on; w_in = w_out is a multiple of 4. An invocation owns four neighbours of y.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

/// The largest so far of four windows, and whether they have met a pixel of the image yet.
struct Best {
    value: vec4<f32>,
    met: vec4<bool>,
}

/// Four candidates, of which only those `inside` exist. As in the reference, the first one wins against
/// whatever is not larger.
fn meet(best: Best, candidates: vec4<f32>, inside: vec4<bool>) -> Best {
    let wins = inside & (!best.met | (candidates > best.value));
    return Best(select(best.value, candidates, wins), best.met | inside);
}

@compute @workgroup_size(WORKGROUP)
fn max_pool2d_forward_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let vectors = params.w_in / 4u;
    let pixels = params.h_out * vectors;
    if i < params.n * params.c * pixels {
        let n = i / pixels / params.c;
        let c = i / pixels % params.c;
        let oy = i % pixels / vectors;
        let column = i % vectors;
        let plane = (n * params.x_channels + params.x_first + c) * params.h_in;
        let columns = 4u * column + vec4<u32>(0u, 1u, 2u, 3u);
        let top = max(oy, params.pad_top) - params.pad_top;
        let bottom = min(oy + params.kh - params.pad_top, params.h_in);
        var best = Best();
        for (var iy = top; iy < bottom; iy += 1u) {
            let row = (plane + iy) * vectors;
            // A neighbour that the image lacks is any vector: its pixels are not inside.
            let before = x[row + max(column, 1u) - 1u];
            let after = x[row + min(column + 1u, vectors - 1u)];
            let under = under_taps(before, x[row + column], after);
            best = meet(best, under.t0, columns - TAPS / 2u < vec4<u32>(params.w_in));
            if TAPS == 3u {
                best = meet(best, under.t1, vec4<bool>(true));
                best = meet(best, under.t2, columns + 1u < vec4<u32>(params.w_in));
            }
            if TAPS == 5u {
                best = meet(best, under.t1, columns - 1u < vec4<u32>(params.w_in));
                best = meet(best, under.t2, vec4<bool>(true));
                best = meet(best, under.t3, columns + 1u < vec4<u32>(params.w_in));
                best = meet(best, under.t4, columns + 2u < vec4<u32>(params.w_in));
            }
        }
        let to = ((n * params.y_channels + params.y_first + c) * params.h_out + oy) * vectors;
        y[to + column] = best.value;
    }
}
