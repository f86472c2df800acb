
// Windows of 3x3 that begin at neighbouring columns: the four that reach two columns of the image.

alias Windows = vec4<f32>;
alias Numbers = vec4<u32>;
alias Places = vec4<i32>;
alias Flags = vec4<bool>;
const STRIDE = 1u;
const ASIDE = Places(0, 1, 2, 3);

fn row_under(row: u32, under: Under) -> Row {
    let a = x[row + under.t0.x];
    let b = x[row + under.t0.y];
    let c = x[row + under.t0.z];
    let d = x[row + under.t0.w];
    let e = x[row + under.t1.w];
    let f = x[row + under.t2.w];
    return Row(vec4<f32>(a, b, c, d), vec4<f32>(b, c, d, e), vec4<f32>(c, d, e, f));
}

fn gradients_at(row: u32, window: Numbers) -> Windows {
    return vec4<f32>(dy[row + window.x], dy[row + window.y], dy[row + window.z], dy[row + window.w]);
}

/// Adds what the two columns won by the windows' row of taps from `first_tap` on.
fn collect(sum: vec2<f32>, tap: Numbers, gradient: Windows, first_tap: u32) -> vec2<f32> {
    let none = vec2<f32>();
    let one = sum + select(none, gradient.xy, tap.xy == vec2<u32>(first_tap + 2u));
    let two = one + select(none, gradient.yz, tap.yz == vec2<u32>(first_tap + 1u));
    return two + select(none, gradient.zw, tap.zw == vec2<u32>(first_tap));
}
