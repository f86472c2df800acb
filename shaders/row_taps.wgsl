
// What the taps of a row of a kernel see, for kernels that load rows in vectors: TAPS columns, the middle
// one over the output's own column.

/// Columns of the kernel: 1, 3 or 5.
override TAPS: u32;

/// Four neighbouring pixels under each tap.
struct Pixels {
    t0: vec4<f32>,
    t1: vec4<f32>,
    t2: vec4<f32>,
    t3: vec4<f32>,
    t4: vec4<f32>,
}

/// What the taps see of a row around its four pixels `own`; only the first TAPS count.
fn under_taps(before: vec4<f32>, own: vec4<f32>, after: vec4<f32>) -> Pixels {
    let left = vec4<f32>(before.w, own.xyz);
    let right = vec4<f32>(own.yzw, after.x);
    if TAPS == 1u {
        return Pixels(own, own, own, own, own);
    }
    if TAPS == 3u {
        return Pixels(left, own, right, right, right);
    }
    return Pixels(vec4<f32>(before.zw, own.xy), left, own, right, vec4<f32>(own.zw, after.xy));
}
