// conv2d weight gradient, the readable baseline: one invocation owns one weight of one share.
//
// partial[s, ky,kx,ci, co] = sum over the rows (n, oy) of share s and all ox of
//     x[n,ci,oy*s+ky-top,ox*s+kx-left] dy[n,co,oy,ox]; the last row of a share is the bias: sum dy.
//
// x (n, x_channels, h_in, w_in), dy (n, y_channels, h_out, w_out): channel ranges from *_first on.
// partial (splits, kh * kw * c_in + 1, c_out).

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn conv2d_backward_weight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let taps = params.kh * params.kw * params.c_in;
    let co = i % params.c_out;
    let tap = i / params.c_out % (taps + 1u);
    let split = i / params.c_out / (taps + 1u);
    if split < params.splits {
        let ci = tap % params.c_in;
        let kx = tap / params.c_in % params.kw;
        let ky = tap / params.c_in / params.kw;
        let end = min((split + 1u) * params.share_rows, params.n * params.h_out);
        var sum = 0.0;
        for (var row = split * params.share_rows; row < end; row += 1u) {
            let n = row / params.h_out;
            let oy = row % params.h_out;
            let gradients = (n * params.y_channels + params.y_first + co) * params.h_out;
            let inputs = (n * params.x_channels + params.x_first + ci) * params.h_in;
            let iy = oy * params.stride_h + ky - params.pad_top;
            for (var ox = 0u; ox < params.w_out; ox += 1u) {
                let ix = ox * params.stride_w + kx - params.pad_left;
                let gradient = dy[(gradients + oy) * params.w_out + ox];
                if tap == taps {
                    sum += gradient;
                } else if iy < params.h_in && ix < params.w_in {
                    sum += x[(inputs + iy) * params.w_in + ix] * gradient;
                }
            }
        }
        partial[i] = sum;
    }
}
