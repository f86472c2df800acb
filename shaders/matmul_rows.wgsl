
// How the register tiles of a dense layer (matmul_registers, matmul_subgroup) end: eight rows by four
// columns of y or grad_x. The kernels declare params and the buffers.

/// Writes four columns of one row of y, or of a partial sum; a folded grid has workgroups behind the
/// last split.
fn store_forward(split: u32, row: u32, column: u32, sums: vec4<f32>) {
    if split < params.splits && row < params.m {
        for (var i = 0u; i < 4u; i += 1u) {
            if column + i < params.n {
                var value = sums[i];
                if params.splits == 1u {
                    value += bias[column + i];
                    if params.relu != 0u {
                        value = relu(value);
                    }
                }
                y[(split * params.m + row) * params.n + column + i] = value;
            }
        }
    }
}

fn store_forward_rows(split: u32, row: u32, column: u32, rows: Rows) {
    store_forward(split, row, column, rows.r0);
    store_forward(split, row + 1u, column, rows.r1);
    store_forward(split, row + 2u, column, rows.r2);
    store_forward(split, row + 3u, column, rows.r3);
    store_forward(split, row + 4u, column, rows.r4);
    store_forward(split, row + 5u, column, rows.r5);
    store_forward(split, row + 6u, column, rows.r6);
    store_forward(split, row + 7u, column, rows.r7);
}

/// What a row of grad_x holds before the sum; rows and inputs behind the last hold nothing.
fn before(row: u32, k: u32) -> vec4<f32> {
    var value = vec4<f32>();
    if params.accumulate != 0u && row < params.m && k < params.k {
        value = grad_x[(row * params.k + k) / 4u];
    }
    return value;
}

fn before_rows(row: u32, k: u32) -> Rows {
    return Rows(
        before(row, k), before(row + 1u, k), before(row + 2u, k), before(row + 3u, k),
        before(row + 4u, k), before(row + 5u, k), before(row + 6u, k), before(row + 7u, k),
    );
}

fn store_input(row: u32, k: u32, sums: vec4<f32>) {
    if row < params.m && k < params.k {
        let i = (row * params.k + k) / 4u;
        var value = sums;
        if params.relu != 0u {
            value = select(vec4<f32>(), sums, relu_mask[i] > vec4<f32>());
        }
        grad_x[i] = value;
    }
}

fn store_input_rows(row: u32, k: u32, rows: Rows) {
    store_input(row, k, rows.r0);
    store_input(row + 1u, k, rows.r1);
    store_input(row + 2u, k, rows.r2);
    store_input(row + 3u, k, rows.r3);
    store_input(row + 4u, k, rows.r4);
    store_input(row + 5u, k, rows.r5);
    store_input(row + 6u, k, rows.r6);
    store_input(row + 7u, k, rows.r7);
}
