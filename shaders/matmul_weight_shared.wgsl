// Weight gradient of a dense layer in tiles over workgroup memory (matmul_weight_shared_tile.wgsl), for
// GPUs.
//
// dw[k,n] = sum over rows of x[m,k] dy[m,n]
//
// x (m, k); dy (m, n); dw: a window of panels, (panels, k, 32), zero behind column n.

@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<f32>>;

fn store(gradient: Gradient) {
    if gradient.inside {
        dw[gradient.at] = gradient.value;
    }
}

fn store_line(place: Place, line: u32, sums: Pair) {
    store(gradient_of(place, line, 0u, sums.left));
    if COLUMN_VECTORS > 1u {
        store(gradient_of(place, line, 1u, sums.right));
    }
}

@compute @workgroup_size(INVOCATIONS)
fn matmul_backward_weight_shared(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = tile_of(workgroup_index(group, groups));
    let sums = sum_up(tile, local);
    let place = place_of(tile, local);
    store_line(place, 0u, sums.l0);
    store_line(place, 1u, sums.l1);
    store_line(place, 2u, sums.l2);
    store_line(place, 3u, sums.l3);
    if LINE_VECTORS > 1u {
        store_line(place, 4u, sums.l4);
        store_line(place, 5u, sums.l5);
        store_line(place, 6u, sums.l6);
        store_line(place, 7u, sums.l7);
    }
}
