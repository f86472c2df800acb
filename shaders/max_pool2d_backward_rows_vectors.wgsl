
// How strips load and store where rows of x and planes of y hold whole vectors, strips as well, and columns are padded on
// the left by one pixel (STRIDE 1, where rows of y are as long) or none (STRIDE 2).

alias Stored = vec4<f32>;
/// Vectors of a strip.
const OWN: u32 = WIDTH / 4;
/// Does a strip begin under a whole vector of y?
const ALIGNED: bool = WIDTH % (4 * STRIDE) == 0;
/// Vectors of y under it then.
const OVER: u32 = (WIDTH / STRIDE + 3) / 4;

/// The pixels of the row of x that begins at `start`, from two before `column` on.
fn row_from(start: u32, column: i32) -> Row {
    let own = u32(column);
    var row: Row;
    for (var q = 0u; q < OWN; q += 1u) {
        let pixels = x[(start + own) / 4u + q];
        row[4u * q + 2u] = pixels.x;
        row[4u * q + 3u] = pixels.y;
        row[4u * q + 4u] = pixels.z;
        row[4u * q + 5u] = pixels.w;
    }
    // Outside the image stand copies of its first pixel and of its last.
    let before = x[(start + max(own, 4u)) / 4u - 1u];
    row[0] = select(row[2], before.z, own > 0u);
    row[1] = select(row[2], before.w, own > 0u);
    let next = own + WIDTH;
    let after = x[(start + min(next, params.w_in - 4u)) / 4u];
    row[WIDTH + 2u] = select(after.w, after.x, next < params.w_in);
    if STRIDE == 1u {
        row[WIDTH + 3u] = select(after.w, after.y, next < params.w_in);
    }
    return row;
}

/// The gradients of the row of dy that begins at `start`, from `ox` on; of windows that do not exist, any.
fn gradients_from(start: u32, ox: i32) -> Windows {
    var gradients: Windows;
    if ALIGNED {
        let own = start + u32(ox + 1);
        for (var q = 0u; q < OVER; q += 1u) {
            let whole = dy[own / 4u + q];
            gradients[4u * q + 1u] = whole.x;
            gradients[4u * q + 2u] = whole.y;
            gradients[4u * q + 3u] = whole.z;
            gradients[4u * q + 4u] = whole.w;
        }
        gradients[0] = dy[max(own, 4u) / 4u - 1u].w;
        if STRIDE == 1u {
            gradients[WINDOWS - 1u] = dy[(start + min(u32(ox + 1) + WIDTH, params.w_out - 4u)) / 4u].x;
        }
    } else {
        for (var j = 0u; j < WINDOWS; j += 1u) {
            let at = start + u32(max(ox + i32(j), 0));
            gradients[j] = dy[at / 4u][at % 4u];
        }
    }
    return gradients;
}

/// Stores the columns from `column` on of the row of grad_x that begins at `to`; `mask` is where the mask's row does, and
/// `pixels` the row of x.
fn store_row(to: u32, mask: u32, column: i32, sum: Strip, pixels: Row) {
    for (var q = 0u; q < OWN; q += 1u) {
        let k = 4u * q;
        var before = vec4<f32>(pixels[k + 2u], pixels[k + 3u], pixels[k + 4u], pixels[k + 5u]);
        if params.masked == 1u {
            before = relu_mask[(mask + u32(column)) / 4u + q];
        }
        let own = vec4<f32>(sum[k], sum[k + 1u], sum[k + 2u], sum[k + 3u]);
        let open = (before > vec4<f32>()) | vec4<bool>(params.masked == 0u);
        grad_x[(to + u32(column)) / 4u + q] = select(vec4<f32>(), own, open);
    }
}
