
// How strips load and store where rows of x and planes of y hold whole vectors, strips as well, and columns are padded on
// the left by one pixel (STRIDE 1, where rows of y are as long) or none (STRIDE 2).

alias Stored = vec4<f32>;
/// Vectors of the widest strip.
const OWN: u32 = 3u;

/// A pixel of x, and a number of dy.
fn pixel(at: u32) -> f32 {
    return x[at / 4u][at % 4u];
}

fn gradient_at(at: u32) -> f32 {
    return dy[at / 4u][at % 4u];
}

/// The pixels of the row of x that begins at `start`, from two before `column` on.
fn row_from(start: u32, column: i32) -> Row {
    let own = u32(column);
    let last = params.w_in - 1u;
    var vectors: array<vec4<f32>, OWN>;
    for (var q = 0u; q < OWN; q += 1u) {
        if 4u * q < WIDTH {
            vectors[q] = x[(start + own) / 4u + q];
        }
    }
    var row: Row;
    row[0] = pixel(start + max(own, 2u) - 2u);
    row[1] = pixel(start + max(own, 1u) - 1u);
    for (var k = 0u; k < WIDEST; k += 1u) {
        if k < WIDTH {
            row[k + 2u] = vectors[k / 4u][k % 4u];
        }
    }
    row[WIDTH + 2u] = pixel(start + min(own + WIDTH, last));
    if STRIDE == 1u {
        row[WIDTH + 3u] = pixel(start + min(own + WIDTH + 1u, last));
    }
    return row;
}

/// The gradients of the row of dy that begins at `start`, from `ox` on; of windows that do not exist, any.
fn gradients_from(start: u32, ox: i32) -> Windows {
    var gradients: Windows;
    if STRIDE == 1u {
        let own = u32(ox + 1);
        var vectors: array<vec4<f32>, OWN>;
        for (var q = 0u; q < OWN; q += 1u) {
            if 4u * q < WIDTH {
                vectors[q] = dy[(start + own) / 4u + q];
            }
        }
        gradients[0] = gradient_at(start + max(own, 1u) - 1u);
        for (var k = 0u; k < WIDEST; k += 1u) {
            if k < WIDTH {
                gradients[k + 1u] = vectors[k / 4u][k % 4u];
            }
        }
        gradients[WIDTH + 1u] = gradient_at(start + min(own + WIDTH, params.w_out - 1u));
    } else {
        for (var j = 0u; j < WINDOWS; j += 1u) {
            if 2u * j < WIDTH + 2u {
                gradients[j] = gradient_at(start + u32(max(ox + i32(j), 0)));
            }
        }
    }
    return gradients;
}

/// Stores the columns from `column` on of the row of grad_x that begins at `to`; `mask` is where the mask's row does.
fn store_row(to: u32, mask: u32, column: i32, sum: Strip) {
    for (var q = 0u; q < OWN; q += 1u) {
        if 4u * q < WIDTH {
            var own = vec4<f32>(sum[4u * q], sum[4u * q + 1u], sum[4u * q + 2u], sum[4u * q + 3u]);
            if params.masked != 0u {
                own = select(vec4<f32>(), own, relu_mask[(mask + u32(column)) / 4u + q] > vec4<f32>());
            }
            grad_x[(to + u32(column)) / 4u + q] = own;
        }
    }
}
