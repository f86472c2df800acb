
// How strips load and store in images of any size.

alias Stored = f32;
/// Columns of a strip, and at most so many of x under its windows.
const WIDTH: u32 = 6u;
const SPAN: u32 = 13u;

/// The pixels of the row of x that begins at `start`, from `column` on.
fn row_from(start: u32, column: i32) -> Row {
    var row: Row;
    for (var k = 0u; k < SPAN; k += 1u) {
        if k < STRIDE * (WIDTH - 1u) + 3u {
            row[k] = x[start + u32(clamp(column + i32(k), 0, i32(params.w_in) - 1))];
        }
    }
    return row;
}

/// Stores the columns from `own` on of the row of y that begins at `start`, as far as the image goes.
fn store_row(start: u32, own: u32, best: Strip) {
    for (var k = 0u; k < WIDTH; k += 1u) {
        if own + k < params.w_out {
            y[start + own + k] = best[k];
        }
    }
}
