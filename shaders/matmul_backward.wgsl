// matmul_backward: all gradients of a small dense layer, of which none alone would occupy a GPU.
//
// grad_x[row, k]      = sum over columns of dy[row, column] w[k, column], zero where the ReLU before (relu_mask) was closed
// grad_w[k, column]   = sum over rows of x[row, k] dy[row, column], zero behind column n
// grad_bias[column]   = sum over rows of dy[row, column]: the weight of an input that is always 1
//
// x, grad_x, relu_mask (m, k); dy (m, n); grad_bias (n); w, grad_w: all of the kernel's panels, (panels, k, 32), panel p
// holding columns 32 p ... of the (k, n) kernel.
//
// naive: an invocation owns a number of grad_x, of grad_w or of grad_bias. tree: a workgroup owns a tile of 16 by 16 of
// grad_x, or of grad_w with grad_bias as the row behind its last (share_tile.wgsl).

struct Params {
    m: u32,
    k: u32,
    n: u32,
    relu: u32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(5) var<storage, read_write> grad_x: array<f32>;
@group(0) @binding(6) var<storage, read_write> grad_w: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_bias: array<f32>;

/// Where weight (k, column) lies.
fn weight(k: u32, column: u32) -> u32 {
    return (column / 32u * params.k + k) * 32u + column % 32u;
}

/// Columns of the panels.
fn all_columns() -> u32 {
    return (params.n + 31u) / 32u * 32u;
}

fn store_input(row: u32, k: u32, sum: f32) {
    let at = row * params.k + k;
    var value = sum;
    if params.relu != 0u {
        value = select(0.0, sum, relu_mask[at] > 0.0);
    }
    grad_x[at] = value;
}

/// The input behind the last one is always 1: its weight is the bias.
fn store_weight(k: u32, column: u32, sum: f32) {
    if k < params.k {
        grad_w[weight(k, column)] = select(0.0, sum, column < params.n);
    } else if k == params.k && column < params.n {
        grad_bias[column] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn matmul_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var i = workgroup_index(group, groups) * WORKGROUP + local;
    var sum = 0.0;
    if i < params.m * params.k {
        let row = i / params.k;
        let k = i % params.k;
        for (var column = 0u; column < params.n; column += 1u) {
            sum += dy[row * params.n + column] * w[weight(k, column)];
        }
        store_input(row, k, sum);
        return;
    }
    i -= params.m * params.k;
    let k = i / all_columns();
    let column = i % all_columns();
    if k <= params.k {
        let last = min(column, params.n - 1u);
        for (var row = 0u; row < params.m; row += 1u) {
            sum += input_at(row, k) * dy[row * params.n + last];
        }
        store_weight(k, column, sum);
    }
}

/// Of the input behind the last one, which is always 1, too.
fn input_at(row: u32, k: u32) -> f32 {
    return select(1.0, x[row * params.k + min(k, params.k - 1u)], k < params.k);
}

/// The share of a block of grad_x that begins there.
fn input_share(row: u32, k: u32, share: u32) -> mat4x4<f32> {
    // Behind the last row and input the last ones are summed once more, for nobody.
    let rows = min(row + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.m - 1u)) * params.n;
    let inputs = min(k + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.k - 1u)) * 32u;
    var sums = mat4x4<f32>();
    for (var column = share; column < params.n; column += SHARES) {
        let at = weight(0u, column) + inputs;
        let left = vec4<f32>(dy[rows.x + column], dy[rows.y + column], dy[rows.z + column], dy[rows.w + column]);
        add_terms(&sums, left, vec4<f32>(w[at.x], w[at.y], w[at.z], w[at.w]));
    }
    return sums;
}

/// The share of a block of grad_w that begins there.
fn weight_share(k: u32, column: u32, share: u32) -> mat4x4<f32> {
    let columns = min(column + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.n - 1u));
    var sums = mat4x4<f32>();
    for (var row = share; row < params.m; row += SHARES) {
        let left = vec4<f32>(input_at(row, k), input_at(row, k + 1u), input_at(row, k + 2u), input_at(row, k + 3u));
        let at = row * params.n + columns;
        add_terms(&sums, left, vec4<f32>(dy[at.x], dy[at.y], dy[at.z], dy[at.w]));
    }
    return sums;
}

@compute @workgroup_size(WORKGROUP)
fn matmul_backward_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var tile = workgroup_index(group, groups);
    let row_tiles = (params.m + TILE - 1u) / TILE;
    let input_tiles = (params.k + TILE - 1u) / TILE;
    let of_inputs = tile < row_tiles * input_tiles;
    let mine = own(local);
    // The line and column of the tile where it begins.
    var first = vec2<u32>(tile % row_tiles, tile / row_tiles) * TILE;
    var share = mat4x4<f32>();
    if of_inputs {
        share = input_share(first.x + mine.line, first.y + mine.column, mine.share);
    } else {
        tile -= row_tiles * input_tiles;
        let weight_tiles = params.k / TILE + 1u;
        first = vec2<u32>(tile % weight_tiles, tile / weight_tiles) * TILE;
        share = weight_share(first.x + mine.line, first.y + mine.column, mine.share);
    }
    let sum = whole(share, local);
    let line = first.x + local / TILE;
    let column = first.y + local % TILE;
    if !of_inputs {
        if column < all_columns() {
            store_weight(line, column, sum);
        }
    } else if line < params.m && column < params.k {
        store_input(line, column, sum);
    }
}
