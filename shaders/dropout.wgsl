// dropout over channel ranges of NCHW buffers: y = 0 where an element is dropped, else scale x. The gradient of x is
// the same of y's: what is dropped follows from the run's seed, the step, the layer's stream, the row among those of
// all shards and the element's number in Keras's order (h, w, c), so that it is found again instead of kept. Where
// `whole_channels` is set, the channel's number takes the element's place.
//
// x (n, its own channels, pixels), y likewise; the kernel covers c channels of each, from its `first` on. An
// invocation owns one element; a workgroup owns WORKGROUP consecutive ones.

struct Params {
    n: u32,
    c: u32,
    pixels: u32,
    x_channels: u32,
    x_first: u32,
    y_channels: u32,
    y_first: u32,
    whole_channels: u32,
    stream: u32,
    threshold: u32,
    scale: f32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn dropout(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.n * params.c * params.pixels {
        let plane = i / params.pixels;
        let pixel = i % params.pixels;
        let n = plane / params.c;
        let c = plane % params.c;
        let element = select(pixel * params.c + c, c, params.whole_channels != 0u);
        let key = pcg4d(vec4<u32>(step.step, step.seed, params.stream, 0u));
        let random = pcg4d(key ^ vec4<u32>(element, step.first_row + n, 0u, 0u)).w;
        let own = x[(n * params.x_channels + params.x_first + c) * params.pixels + pixel];
        y[(n * params.y_channels + params.y_first + c) * params.pixels + pixel] =
            select(params.scale * own, 0.0, random < params.threshold);
    }
}
