// matmul_forward of a small dense layer: y = relu(bias + x w), the terms of a sum shared out inside of a workgroup. So few
// outputs occupy a GPU, and no dispatch has to add up shares.
//
// x (m, k); y (m, n); bias (n); w: a window of the kernel's panels, (panels, k, 32), as vectors.
// A workgroup computes a tile of 16 rows by 16 columns, half a panel (share_tile.wgsl).

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn matmul_forward_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups);
    let row_tiles = (params.m + TILE - 1u) / TILE;
    let first_row = i % row_tiles * TILE;
    // Of the window.
    let first_column = i / row_tiles * TILE;
    let mine = own(local);

    // Behind the last row the last one is summed once more, for nobody.
    let rows = min(first_row + mine.line + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.m - 1u)) * params.k;
    let column = first_column + mine.column;
    let weights = column / 32u * params.k * 8u + column % 32u / 4u;
    var share = mat4x4<f32>();
    for (var k = mine.share; k < params.k; k += SHARES) {
        let inputs = vec4<f32>(x[rows.x + k], x[rows.y + k], x[rows.z + k], x[rows.w + k]);
        add_terms(&share, inputs, w[weights + k * 8u]);
    }
    let sum = whole(share, local);

    let row = first_row + local / TILE;
    let output = params.first_panel * 32u + first_column + local % TILE;
    let end = min((params.first_panel + params.panels) * 32u, params.n);
    if row < params.m && output < end {
        var value = sum + bias[output];
        if params.relu != 0u {
            value = relu(value);
        }
        y[row * params.n + output] = value;
    }
}
