// gather: x[i, c, pixel] = f32(byte(rows[i], pixel * channels + c)) * scale.
//
// data (data_rows, row_words): HWC bytes, four to a word, rows padded to whole words.
// rows (rows): which row of the data set each row of the batch is.
// x (rows, channels, pixels): zero behind the valid rows.
// An invocation owns one element of x; a workgroup owns WORKGROUP consecutive ones. One
// multiplication, correctly rounded: the host path computes the same bits.

struct Params {
    rows: u32,
    row_words: u32,
    pixels: u32,
    channels: u32,
    data_rows: u32,
    scale: f32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> data: array<u32>;
@group(0) @binding(3) var<storage, read> rows: array<u32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn gather(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let elements = params.pixels * params.channels;
    if i < params.rows * elements {
        let row = i / elements;
        let channel = i % elements / params.pixels;
        let byte = i % params.pixels * params.channels + channel;
        let word = data[rows[row] * params.row_words + byte / 4u];
        let value = f32((word >> (8u * (byte % 4u))) & 0xffu) * params.scale;
        x[i] = select(0.0, value, row < step.valid_rows);
    }
}
