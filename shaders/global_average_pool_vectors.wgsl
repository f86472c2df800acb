// Backward pass of global_average_pool where images hold whole vectors of pixels: each load and store moves four.
//
// grad_x[n,c,:] = dy[n,c] / pixels, zero where the ReLU before (relu_mask) was closed.
//
// dy (n, c); grad_x, relu_mask (n, c, pixels / 4) vectors. An invocation owns one vector.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> relu_mask: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> grad_x: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn global_average_pool_backward_vectors(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let vectors = params.pixels / 4u;
    if i < params.n * params.c * vectors {
        var gradient = vec4<f32>(dy[i / vectors] / f32(params.pixels));
        if params.masked != 0u {
            gradient = select(vec4<f32>(), gradient, relu_mask[i] > vec4<f32>());
        }
        grad_x[i] = gradient;
    }
}
