// global_max_pool: y[n,c] = the largest of x[n,c,:], winner[n,c] = its pixel (ties: the first).
//
// x (n, x_channels, pixels), of which c channels from x_first on; y, winner (n, c), winner as a whole number in f32.
// An invocation owns one maximum (naive) or a workgroup does (tree).

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> winner: array<f32>;

/// The best so far: of what is equal the first, and as in max_pool2d NaN wins only as pixel 0.
struct Best {
    value: f32,
    pixel: u32,
}

var<workgroup> bests: array<Best, WORKGROUP>;

/// The better of `best` and pixel i of the plane, which comes later.
fn meet(best: Best, plane: u32, i: u32) -> Best {
    let value = x[plane + i];
    let wins = value > best.value;
    return Best(select(best.value, value, wins), select(best.pixel, i, wins));
}

/// The best of pixels first, first + step, ... and pixel 0 of a plane.
fn best_of(plane: u32, first: u32, step: u32) -> Best {
    var best = Best(x[plane], 0u);
    var i = first;
    for (; i + 3u * step < params.pixels; i += 4u * step) {
        best = meet(best, plane, i);
        best = meet(best, plane, i + step);
        best = meet(best, plane, i + 2u * step);
        best = meet(best, plane, i + 3u * step);
    }
    for (; i < params.pixels; i += step) {
        best = meet(best, plane, i);
    }
    return best;
}

/// Where the plane of y[i] begins in x.
fn plane_of(i: u32) -> u32 {
    let channel = params.x_first + i % params.c;
    return (i / params.c * params.x_channels + channel) * params.pixels;
}

@compute @workgroup_size(WORKGROUP)
fn global_max_pool_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.n * params.c {
        let best = best_of(plane_of(i), 1u, 1u);
        y[i] = best.value;
        winner[i] = f32(best.pixel);
    }
}

@compute @workgroup_size(WORKGROUP)
fn global_max_pool_forward_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups);
    let inside = i < params.n * params.c;
    if inside {
        bests[local] = best_of(plane_of(i), local, WORKGROUP);
    }
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half {
            let own = bests[local];
            let other = bests[local + half];
            let first = (other.value == own.value) & (other.pixel < own.pixel);
            if first || other.value > own.value {
                bests[local] = other;
            }
        }
        workgroupBarrier();
    }
    if inside && local == 0u {
        y[i] = bests[0].value;
        winner[i] = f32(bests[0].pixel);
    }
}
