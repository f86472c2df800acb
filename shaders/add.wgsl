// add: y = ((a + b) + c) + d, of which only the first `terms` count, zero where the ReLU before (relu_mask) was
// closed: the gradient of a tensor that was used several times.
//
// Every buffer is (n, its own channels, pixels); the kernel covers `channels` channels of each, from its
// `first` on. An invocation owns LANES neighbouring elements, or a whole plane of a channel (planes).

struct Params {
    n: u32,
    channels: u32,
    pixels: u32,
    terms: u32,
    masked: u32,
    a_channels: u32,
    a_first: u32,
    b_channels: u32,
    b_first: u32,
    c_channels: u32,
    c_first: u32,
    d_channels: u32,
    d_first: u32,
    mask_channels: u32,
    mask_first: u32,
    y_channels: u32,
    y_first: u32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Lanes>;
@group(0) @binding(2) var<storage, read> b: array<Lanes>;
@group(0) @binding(3) var<storage, read> c: array<Lanes>;
@group(0) @binding(4) var<storage, read> d: array<Lanes>;
@group(0) @binding(5) var<storage, read> relu_mask: array<Lanes>;
@group(0) @binding(6) var<storage, read_write> y: array<Lanes>;

/// Where the planes of a channel of an image begin, in Lanes.
struct Starts {
    a: u32,
    b: u32,
    c: u32,
    d: u32,
    mask: u32,
    y: u32,
}

fn starts_of(plane: u32) -> Starts {
    let steps = params.pixels / LANES;
    let n = plane / params.channels;
    let channel = plane % params.channels;
    return Starts(
        (n * params.a_channels + params.a_first + channel) * steps,
        (n * params.b_channels + params.b_first + channel) * steps,
        (n * params.c_channels + params.c_first + channel) * steps,
        (n * params.d_channels + params.d_first + channel) * steps,
        (n * params.mask_channels + params.mask_first + channel) * steps,
        (n * params.y_channels + params.y_first + channel) * steps,
    );
}

/// The sum at a step of a plane.
fn sum_at(starts: Starts, step: u32) -> Lanes {
    var sum = a[starts.a + step] + b[starts.b + step];
    if params.terms > 2u {
        sum += c[starts.c + step];
    }
    if params.terms > 3u {
        sum += d[starts.d + step];
    }
    if params.masked != 0u {
        sum = select(Lanes(), sum, relu_mask[starts.mask + step] > Lanes());
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn add(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let steps = params.pixels / LANES;
    if i < params.n * params.channels * steps {
        let starts = starts_of(i / steps);
        y[starts.y + i % steps] = sum_at(starts, i % steps);
    }
}

@compute @workgroup_size(WORKGROUP)
fn add_planes(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let plane = workgroup_index(group, groups) * WORKGROUP + local;
    let steps = params.pixels / LANES;
    if plane < params.n * params.channels {
        let starts = starts_of(plane);
        for (var s = 0u; s < steps; s += TURN) {
            for (var k = 0u; k < TURN; k += 1u) {
                // Behind the last step that one is done again.
                let step = min(s + k, steps - 1u);
                y[starts.y + step] = sum_at(starts, step);
            }
        }
    }
}
