// add: y = ((a + b) + c) + d, of which only the first `terms` count, zero where the ReLU before (relu_mask) was
// closed: the gradient of a tensor that was used several times.
//
// Every buffer is (n, its own channels, pixels); the kernel covers `channels` channels of each, from its
// `first` on. An invocation owns LANES neighbouring elements.

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

/// Where lanes i = (n, channel, pixel) of the kernel lie in a buffer of `channels` channels.
fn at(i: u32, channels: u32, first: u32) -> u32 {
    let pixels = params.pixels / LANES;
    let plane = i / pixels;
    let n = plane / params.channels;
    let channel = plane % params.channels;
    return (n * channels + first + channel) * pixels + i % pixels;
}

@compute @workgroup_size(WORKGROUP)
fn add(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.n * params.channels * (params.pixels / LANES) {
        var sum = a[at(i, params.a_channels, params.a_first)] + b[at(i, params.b_channels, params.b_first)];
        if params.terms > 2u {
            sum += c[at(i, params.c_channels, params.c_first)];
        }
        if params.terms > 3u {
            sum += d[at(i, params.d_channels, params.d_first)];
        }
        if params.masked != 0u {
            let open = relu_mask[at(i, params.mask_channels, params.mask_first)] > Lanes();
            sum = select(Lanes(), sum, open);
        }
        y[at(i, params.y_channels, params.y_first)] = sum;
    }
}
