// global_average_pool: y[n,c] = mean of x[n,c,:]; grad_x[n,c,:] = dy[n,c] / pixels, zero where the
// ReLU before (relu_mask) was closed.
//
// x, grad_x, relu_mask (n, c, pixels); y, dy (n, c). Forward: an invocation owns one mean (naive) or
// a workgroup does (tree). Backward: an invocation owns one element of grad_x.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<f32>;

var<workgroup> partial: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn global_average_pool_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let plane = workgroup_index(group, groups) * WORKGROUP + local;
    if plane < params.n * params.c {
        // Four chains: a quarter of the rounding, and loads that do not wait for each other.
        let start = plane * params.pixels;
        var sums = vec4<f32>();
        var i = 0u;
        for (; i + 3u < params.pixels; i += 4u) {
            let at = start + i;
            sums += vec4<f32>(x[at], x[at + 1u], x[at + 2u], x[at + 3u]);
        }
        for (; i < params.pixels; i += 1u) {
            sums.x += x[start + i];
        }
        y[plane] = (sums.x + sums.y + sums.z + sums.w) / f32(params.pixels);
    }
}

@compute @workgroup_size(WORKGROUP)
fn global_average_pool_forward_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let plane = workgroup_index(group, groups);
    let inside = plane < params.n * params.c;
    var sum = 0.0;
    if inside {
        for (var i = local; i < params.pixels; i += WORKGROUP) {
            sum += x[plane * params.pixels + i];
        }
    }
    partial[local] = sum;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    if inside && local == 0u {
        y[plane] = partial[0] / f32(params.pixels);
    }
}

@compute @workgroup_size(WORKGROUP)
fn global_average_pool_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.n * params.c * params.pixels {
        let gradient = dy[i / params.pixels] / f32(params.pixels);
        var open = true;
        if params.masked != 0u {
            open = relu_mask[i] > 0.0;
        }
        grad_x[i] = select(0.0, gradient, open);
    }
}
