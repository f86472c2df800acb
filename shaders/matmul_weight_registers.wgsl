// Weight gradient of a dense layer in register tiles without barriers and without subgroups, for
// software adapters, where every load by a lane is dear.
//
// dw[k,n] = sum over rows of x[m,k] dy[m,n]
//
// x (m, k); dy (m, n); dw: a window of panels, (panels, k, 32), zero behind column n. k is a multiple
// of 4. An invocation owns 8 inputs by 8 columns.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<f32>>;

/// Four inputs by eight columns: left and right halves.
struct Tile {
    l0: vec4<f32>,
    l1: vec4<f32>,
    l2: vec4<f32>,
    l3: vec4<f32>,
    r0: vec4<f32>,
    r1: vec4<f32>,
    r2: vec4<f32>,
    r3: vec4<f32>,
}

fn outer_product(tile: ptr<function, Tile>, inputs: vec4<f32>, left: vec4<f32>, right: vec4<f32>) {
    (*tile).l0 += inputs.x * left;
    (*tile).l1 += inputs.y * left;
    (*tile).l2 += inputs.z * left;
    (*tile).l3 += inputs.w * left;
    (*tile).r0 += inputs.x * right;
    (*tile).r1 += inputs.y * right;
    (*tile).r2 += inputs.z * right;
    (*tile).r3 += inputs.w * right;
}

/// Four columns of one row of dy; columns behind the last count for nothing.
fn load_gradients(row: u32, column: u32) -> vec4<f32> {
    let columns = vec4<u32>(column, column + 1u, column + 2u, column + 3u);
    let at = row * params.n + min(columns, vec4<u32>(params.n - 1u));
    return select(vec4<f32>(), vec4<f32>(dy[at.x], dy[at.y], dy[at.z], dy[at.w]), columns < vec4<u32>(params.n));
}

/// Stores inputs k to k + 3 from vector `vector` of the panel's rows on.
fn store(panel: u32, k: u32, vector: u32, tile: Tile) {
    if k < params.k {
        let at = (panel * params.k + k) * 8u + vector;
        dw[at] = tile.l0;
        dw[at + 1u] = tile.r0;
        dw[at + 8u] = tile.l1;
        dw[at + 9u] = tile.r1;
        dw[at + 16u] = tile.l2;
        dw[at + 17u] = tile.r2;
        dw[at + 24u] = tile.l3;
        dw[at + 25u] = tile.r3;
    }
}

@compute @workgroup_size(WORKGROUP)
fn matmul_backward_weight_registers(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Columns are fastest, four blocks a panel: lanes read the same x, whose rows lie far apart.
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let blocks = params.panels * 4u;
    let panel = i % blocks / 4u;
    let vector = i % 4u * 2u;
    let k = i / blocks * 8u;
    if k < params.k {
        let column = (params.first_panel + panel) * 32u + vector * 4u;
        // Inputs behind the last read the last ones: their sums are not stored.
        let second = min(k + 4u, params.k - 4u) / 4u;
        var upper = Tile();
        var lower = Tile();
        for (var row = 0u; row < params.m; row += 1u) {
            let at = row * (params.k / 4u);
            let left = load_gradients(row, column);
            let right = load_gradients(row, column + 4u);
            outer_product(&upper, x[at + k / 4u], left, right);
            outer_product(&lower, x[at + second], left, right);
        }
        store(panel, k, vector, upper);
        store(panel, k + 4u, vector, lower);
    }
}
