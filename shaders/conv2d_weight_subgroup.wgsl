// conv2d weight gradient in register tiles (conv2d_weight_tile.wgsl) whose output gradients are
// shared through the subgroup, for adapters with subgroups of 8 where a load by single lanes
// is dear: lane i loads pixel i of each of ten channels, a shuffle hands it to all. A workgroup
// is one subgroup.

/// Pixel `lane` of ten channels.
struct Loaded {
    ten: Ten,
}

fn load_gradients(n: u32, co: u32, y: u32, ox: u32, lane: u32) -> Loaded {
    let column = ox + lane;
    return Loaded(Ten(
        vec4<f32>(
            output_gradient(n, co, y, column), output_gradient(n, co + 1u, y, column),
            output_gradient(n, co + 2u, y, column), output_gradient(n, co + 3u, y, column),
        ),
        vec4<f32>(
            output_gradient(n, co + 4u, y, column), output_gradient(n, co + 5u, y, column),
            output_gradient(n, co + 6u, y, column), output_gradient(n, co + 7u, y, column),
        ),
        vec2<f32>(output_gradient(n, co + 8u, y, column), output_gradient(n, co + 9u, y, column)),
    ));
}

fn gradient_of(loaded: Loaded, n: u32, co: u32, y: u32, ox: u32, i: u32) -> Ten {
    return Ten(
        subgroupShuffle(loaded.ten.a, i),
        subgroupShuffle(loaded.ten.b, i),
        subgroupShuffle(loaded.ten.c, i),
    );
}

@compute @workgroup_size(8)
fn conv2d_backward_weight_subgroup(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    run(workgroup_index(group, groups), 8u, lane);
}
