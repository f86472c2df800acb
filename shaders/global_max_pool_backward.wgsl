// Backward pass of global_max_pool: grad_x[n,c,:] = dy[n,c] at the winner and zero elsewhere, also where the ReLU before
// (relu_mask) was closed.
//
// dy, winner (n, c), the winner's pixel as a whole number; relu_mask (n, mask_channels, pixels), of which c channels from
// mask_first on; grad_x (n, c, pixels). An invocation owns one element of grad_x.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> winner: array<f32>;
@group(0) @binding(3) var<storage, read> relu_mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_x: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn global_max_pool_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let plane = i / params.pixels;
    if plane < params.n * params.c {
        let pixel = i % params.pixels;
        var open = pixel == u32(winner[plane]);
        if params.masked != 0u {
            let channel = params.mask_first + plane % params.c;
            let at = (plane / params.c * params.mask_channels + channel) * params.pixels + pixel;
            open &= relu_mask[at] > 0.0;
        }
        grad_x[i] = select(0.0, dy[plane], open);
    }
}
