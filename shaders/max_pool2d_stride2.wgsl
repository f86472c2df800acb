
// Windows of 3x3 that begin at every second column: the two that reach two columns of the image, the first of
// which both hold.

alias Windows = vec2<f32>;
alias Numbers = vec2<u32>;
alias Places = vec2<i32>;
alias Flags = vec2<bool>;
const STRIDE = 2u;
const ASIDE = Places(0, 1);

fn row_under(row: u32, under: Under) -> Row {
    let a = x[row + under.t0.x];
    let b = x[row + under.t1.x];
    let c = x[row + under.t0.y];
    let d = x[row + under.t1.y];
    let e = x[row + under.t2.y];
    return Row(vec2<f32>(a, c), vec2<f32>(b, d), vec2<f32>(c, e));
}

fn gradients_at(row: u32, window: Numbers) -> Windows {
    return vec2<f32>(dy[row + window.x], dy[row + window.y]);
}

/// Adds what the two columns won by the windows' row of taps from `first_tap` on.
fn collect(sum: vec2<f32>, tap: Numbers, gradient: Windows, first_tap: u32) -> vec2<f32> {
    let none = vec2<f32>();
    let one = sum + select(none, vec2<f32>(gradient.x, 0.0), tap == vec2<u32>(first_tap + 2u));
    return one + select(none, gradient.yy, tap.yy == vec2<u32>(first_tap, first_tap + 1u));
}
