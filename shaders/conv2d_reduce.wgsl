// conv2d weight gradient, second pass: (dw, db)[i] = partial[0][i] + partial[1][i] + ...
//
// partial (splits, kh * kw * c_in + 1, c_out), the last row of a share being the bias; dw (kh, kw,
// c_in, c_out); db (c_out).
//
// naive: an invocation owns one number and adds up its shares in order. tree: a workgroup owns 8 numbers; of
// each, 32 invocations add up every 32nd share, then each other's sums.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> dw: array<f32>;
@group(0) @binding(3) var<storage, read_write> db: array<f32>;

/// Weights of the kernel.
fn kernel_len() -> u32 {
    return params.kh * params.kw * params.c_in * params.c_out;
}

fn store(i: u32, sum: f32) {
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
    let share = kernel_len() + params.c_out;
    if i < share {
        var sum = 0.0;
        for (var split = 0u; split < params.splits; split += 1u) {
            sum += partial[split * share + i];
        }
        store(i, sum);
    }
}

/// Numbers of a workgroup of the tree.
const NUMBERS: u32 = 8u;

/// sums[lane * 8 + number]
var<workgroup> sums: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn conv2d_reduce_weight_tree(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * NUMBERS + local % NUMBERS;
    let share = kernel_len() + params.c_out;
    var sum = 0.0;
    if i < share {
        for (var split = local / NUMBERS; split < params.splits; split += WORKGROUP / NUMBERS) {
            sum += partial[split * share + i];
        }
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half >= NUMBERS; half /= 2u) {
        if local < half {
            sums[local] += sums[local + half];
        }
        workgroupBarrier();
    }
    if local < NUMBERS && i < share {
        store(i, sums[local]);
    }
}
