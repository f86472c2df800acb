// standardise_channels: y[n,c,:] = (x[n,c,:] - mean[c]) * scale[c], scale being one over the deviation.
//
// x, y (n, c, pixels); statistics (2, c): the means, then the scales. y is zero behind the valid rows. An invocation
// owns LANES neighbours of y; a workgroup owns WORKGROUP such runs.

struct Params {
    n: u32,
    c: u32,
    pixels: u32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<Lanes>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<Lanes>;

@compute @workgroup_size(WORKGROUP)
fn standardise_channels(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let plane = i / (params.pixels / LANES);
    if plane < params.n * params.c {
        let c = plane % params.c;
        let value = (x[i] - Lanes(statistics[c])) * statistics[params.c + c];
        y[i] = select(Lanes(), value, plane / params.c < step.valid_rows);
    }
}
