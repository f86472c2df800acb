
// How strips load and store where rows of x and y hold whole vectors, and columns are padded on the left by one pixel
// (STRIDE 1) or none (STRIDE 2).

alias Stored = vec4<f32>;
/// Columns of a strip, and at most so many of x under its windows.
const WIDTH: u32 = 4u;
const SPAN: u32 = 9u;

/// A pixel of x.
fn pixel(at: u32) -> f32 {
    return x[at / 4u][at % 4u];
}

/// The pixels of the row of x that begins at `start`, from `column` on.
fn row_from(start: u32, column: i32) -> Row {
    if STRIDE == 1u {
        let own = u32(column + 1);
        let a = x[(start + own) / 4u];
        let before = pixel(start + max(own, 1u) - 1u);
        let after = pixel(start + min(own + 4u, params.w_in - 1u));
        return Row(before, a.x, a.y, a.z, a.w, after, after, after, after);
    }
    let own = u32(column);
    let a = x[(start + own) / 4u];
    let b = x[(start + own) / 4u + 1u];
    let after = pixel(start + min(own + 8u, params.w_in - 1u));
    return Row(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w, after);
}

/// Stores the columns from `own` on of the row of y that begins at `start`.
fn store_row(start: u32, own: u32, best: Strip) {
    y[(start + own) / 4u] = vec4<f32>(best[0], best[1], best[2], best[3]);
}
