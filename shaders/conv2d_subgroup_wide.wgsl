// conv2d with stride 1 in register tiles twice as wide as those of conv2d_tile.wgsl, whose helpers it
// uses; weights are shared by subgroup broadcast. For adapters with subgroups of 8 where a load by
// single lanes is dear: 320 vector multiply-adds for the two loads of a tap's weights and the two of
// the pixels that slide in. A workgroup is one subgroup: 8 tiles of one block of channels; an invocation
// owns 16 pixels of 2 rows in 10 channels of the output.

/// Computes the wide tile number `tile` of the ten channels from `c` on.
fn convolve_wide(walk: Walk, tile: u32, c: u32, lane: u32) {
    let blocks = (walk.to_width + 15u) / 16u;
    let pairs = (walk.to_height + 1u) / 2u;
    let x = tile % blocks * 16u;
    let y = tile / blocks % pairs * 2u;
    let n = tile / blocks / pairs;
    var top_0 = Tile();
    var top_1 = Tile();
    var top_2 = Tile();
    var top_3 = Tile();
    var bottom_0 = Tile();
    var bottom_1 = Tile();
    var bottom_2 = Tile();
    var bottom_3 = Tile();
    let step = select(1u, params.c_out, walk.backward);
    for (var d = 0u; d < walk.depth; d += 1u) {
        // Tiles behind the last image read the first: their sums are not stored.
        let image = select(0u, n, n < params.n);
        let plane = (image * walk.stored + walk.first + d) * walk.height;
        for (var ky = 0u; ky < params.kh; ky += 1u) {
            let iy = y + ky - walk.top;
            var ix = x - walk.left;
            var upper_0 = four(walk, plane, iy, ix);
            var upper_1 = four(walk, plane, iy, ix + 4u);
            var upper_2 = four(walk, plane, iy, ix + 8u);
            var upper_3 = four(walk, plane, iy, ix + 12u);
            var lower_0 = four(walk, plane, iy + 1u, ix);
            var lower_1 = four(walk, plane, iy + 1u, ix + 4u);
            var lower_2 = four(walk, plane, iy + 1u, ix + 8u);
            var lower_3 = four(walk, plane, iy + 1u, ix + 12u);
            ix += 16u;
            for (var kx = 0u; kx < params.kw; kx += 1u) {
                let weights = load_weights(weight_index(walk, ky, kx, d) + c * step, step, walk.channels - c, lane);
                accumulate(&top_0, weights, upper_0);
                accumulate(&top_1, weights, upper_1);
                accumulate(&top_2, weights, upper_2);
                accumulate(&top_3, weights, upper_3);
                accumulate(&bottom_0, weights, lower_0);
                accumulate(&bottom_1, weights, lower_1);
                accumulate(&bottom_2, weights, lower_2);
                accumulate(&bottom_3, weights, lower_3);
                // The window slides by one pixel.
                let next = pixel(walk, plane, iy, ix + kx);
                let below = pixel(walk, plane, iy + 1u, ix + kx);
                upper_0 = vec4<f32>(upper_0.yzw, upper_1.x);
                upper_1 = vec4<f32>(upper_1.yzw, upper_2.x);
                upper_2 = vec4<f32>(upper_2.yzw, upper_3.x);
                upper_3 = vec4<f32>(upper_3.yzw, next);
                lower_0 = vec4<f32>(lower_0.yzw, lower_1.x);
                lower_1 = vec4<f32>(lower_1.yzw, lower_2.x);
                lower_2 = vec4<f32>(lower_2.yzw, lower_3.x);
                lower_3 = vec4<f32>(lower_3.yzw, below);
            }
        }
    }
    store_tile(walk, n, c, y, x, top_0);
    store_tile(walk, n, c, y, x + 4u, top_1);
    store_tile(walk, n, c, y, x + 8u, top_2);
    store_tile(walk, n, c, y, x + 12u, top_3);
    store_tile(walk, n, c, y + 1u, x, bottom_0);
    store_tile(walk, n, c, y + 1u, x + 4u, bottom_1);
    store_tile(walk, n, c, y + 1u, x + 8u, bottom_2);
    store_tile(walk, n, c, y + 1u, x + 12u, bottom_3);
}

fn run_wide(walk: Walk, group: u32, lane: u32) {
    let blocks = (walk.channels + 9u) / 10u;
    convolve_wide(walk, group / blocks * 8u + lane, group % blocks * 10u, lane);
}

@compute @workgroup_size(8)
fn conv2d_forward_subgroup_wide(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    run_wide(forward_walk(), workgroup_index(group, groups), lane);
}

@compute @workgroup_size(8)
fn conv2d_backward_input_subgroup_wide(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    run_wide(backward_walk(), workgroup_index(group, groups), lane);
}
