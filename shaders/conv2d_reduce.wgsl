// conv2d weight gradient, second pass: (dw, db)[i] = partial[0][i] + partial[1][i] + ...
//
// partial (splits, kh * kw * c_in + 1, c_out), the last row of a share being the bias; dw (kh, kw,
// c_in, c_out); db (c_out). An invocation owns LANES neighbours.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<Lanes>;
@group(0) @binding(2) var<storage, read_write> dw: array<Lanes>;
@group(0) @binding(3) var<storage, read_write> db: array<Lanes>;

/// Weights of the kernel, in Lanes.
fn kernel_len() -> u32 {
    return params.kh * params.kw * params.c_in * (params.c_out / LANES);
}

fn store(i: u32, sum: Lanes) {
    if i < kernel_len() {
        dw[i] = sum;
    } else {
        db[i - kernel_len()] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn conv2d_reduce_weight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    let share = kernel_len() + params.c_out / LANES;
    if i < share {
        var sum = Lanes();
        for (var split = 0u; split < params.splits; split += 1u) {
            sum += partial[split * share + i];
        }
        store(i, sum);
    }
}
