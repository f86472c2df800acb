
// How strips load and store in images of any size.

alias Stored = f32;

/// The pixels of the row of x that begins at `start`, from two before `column` on.
fn row_from(start: u32, column: i32) -> Row {
    var row: Row;
    for (var k = 0u; k < SPAN; k += 1u) {
        row[k] = x[start + u32(clamp(column + i32(k) - 2, 0, i32(params.w_in) - 1))];
    }
    return row;
}

/// The gradients of the row of dy that begins at `start`, from `ox` on; of windows that do not exist, any.
fn gradients_from(start: u32, ox: i32) -> Windows {
    var gradients: Windows;
    for (var j = 0u; j < WINDOWS; j += 1u) {
        gradients[j] = dy[start + u32(clamp(ox + i32(j), 0, i32(params.w_out) - 1))];
    }
    return gradients;
}

/// Stores the columns from `column` on of the row of grad_x that begins at `to`, as far as the image goes; `mask` is where
/// the mask's row begins, and `pixels` the row of x.
fn store_row(to: u32, mask: u32, column: i32, sum: Strip, pixels: Row) {
    for (var k = 0u; k < WIDTH; k += 1u) {
        // A column before the first wraps and fails the test against the width.
        let own = u32(column + i32(k));
        if own < params.w_in {
            var before = pixels[k + 2u];
            if params.masked == 1u {
                before = relu_mask[mask + own];
            }
            grad_x[to + own] = select(0.0, sum[k], (before > 0.0) | (params.masked == 0u));
        }
    }
}
