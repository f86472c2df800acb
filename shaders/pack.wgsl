// pack: panels[column / 32 - first_panel][inner row][column % 32] = rows[row][column];
// unpack: the way back.
//
// rows, unpacked (chunk_rows, n): rows first_row ... of a Keras kernel (k, n). panels, packed
// (panels, k, 32): a window of the kernel's panels. Behind a flattened image Keras's row is
// (pixel, channel) and the inner one (channel, pixel). An invocation owns one weight.

struct Params {
    k: u32,
    n: u32,
    first_row: u32,
    chunk_rows: u32,
    first_panel: u32,
    panels: u32,
    pixels: u32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read_write> panels: array<f32>;

@group(0) @binding(1) var<storage, read> packed: array<f32>;
@group(0) @binding(2) var<storage, read_write> unpacked: array<f32>;

struct Weight {
    inside: bool,
    row_major: u32,
    in_panels: u32,
}

/// Both places of the i-th weight that chunk and window share.
fn weight(i: u32) -> Weight {
    let first = params.first_panel * 32u;
    let columns = min(first + params.panels * 32u, params.n) - first;
    let row = i / columns;
    let column = first + i % columns;
    let channels = params.k / params.pixels;
    let keras = params.first_row + row;
    let inner = keras % channels * params.pixels + keras / channels;
    let panel = column / 32u - params.first_panel;
    return Weight(
        row < params.chunk_rows,
        row * params.n + column,
        (panel * params.k + inner) * 32u + column % 32u,
    );
}

@compute @workgroup_size(WORKGROUP)
fn pack(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = weight(workgroup_index(group, groups) * WORKGROUP + local);
    if at.inside {
        panels[at.in_panels] = rows[at.row_major];
    }
}

@compute @workgroup_size(WORKGROUP)
fn unpack(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = weight(workgroup_index(group, groups) * WORKGROUP + local);
    if at.inside {
        unpacked[at.row_major] = packed[at.in_panels];
    }
}
