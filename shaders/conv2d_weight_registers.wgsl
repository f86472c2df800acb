// conv2d weight gradient in register tiles (conv2d_weight_tile.wgsl) without barriers and without
// subgroups: every invocation loads the output gradients itself.

/// Nothing is loaded ahead.
struct Loaded {
    nothing: u32,
}

fn load_gradients(n: u32, co: u32, y: u32, ox: u32, lane: u32) -> Loaded {
    return Loaded(0u);
}

fn gradient_of(loaded: Loaded, n: u32, co: u32, y: u32, ox: u32, i: u32) -> Ten {
    let column = ox + i;
    return Ten(
        vec4<f32>(
            output_gradient(n, co, y, column), output_gradient(n, co + 1u, y, column),
            output_gradient(n, co + 2u, y, column), output_gradient(n, co + 3u, y, column),
        ),
        vec4<f32>(
            output_gradient(n, co + 4u, y, column), output_gradient(n, co + 5u, y, column),
            output_gradient(n, co + 6u, y, column), output_gradient(n, co + 7u, y, column),
        ),
        vec2<f32>(output_gradient(n, co + 8u, y, column), output_gradient(n, co + 9u, y, column)),
    );
}

@compute @workgroup_size(8)
fn conv2d_backward_weight_registers(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    run(workgroup_index(group, groups), 8u, lane);
}
