// standardise_pictures: y[n,:] = (x[n,:] - mean) / max(deviation, epsilon), mean and (biased) deviation being those of
// image n over all its values.
//
// x, y (n, values); y is zero behind the valid rows. A workgroup owns an image; an invocation owns every WORKGROUPth
// run of LANES neighbours.
//
// Values are told by their distance from the first ones (`about`), which is zero in an image of one colour, and so
// is all that follows: rounding of the mean, divided by epsilon, would be seen. The first pass finds the mean of
// these distances, the second sums squares.

struct Params {
    n: u32,
    values: u32,
    epsilon: f32,
}

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> x: array<Lanes>;
@group(0) @binding(3) var<storage, read_write> y: array<Lanes>;

@compute @workgroup_size(WORKGROUP)
fn standardise_pictures(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let image = workgroup_index(group, groups);
    let runs = params.values / LANES;
    let start = image * runs;
    let count = f32(params.values);
    var end = start;
    var about = Lanes();
    if image < params.n {
        end += runs;
        // Of equal values just that: LANES is a power of two.
        about = Lanes(total(x[start]) * (1.0 / f32(LANES)));
    }
    var sum = Lanes();
    for (var i = start + local; i < end; i += WORKGROUP) {
        sum += x[i] - about;
    }
    let mean = Lanes(sum_of_group(local, vec2<f32>(total(sum), 0.0)).x / count);
    workgroupBarrier();
    var squares = Lanes();
    for (var i = start + local; i < end; i += WORKGROUP) {
        let d = (x[i] - about) - mean;
        squares += d * d;
    }
    let variance = sum_of_group(local, vec2<f32>(total(squares), 0.0)).x / count;
    let scale = 1.0 / max(sqrt(variance), params.epsilon);
    for (var i = start + local; i < end; i += WORKGROUP) {
        let value = ((x[i] - about) - mean) * scale;
        y[i] = select(Lanes(), value, image < step.valid_rows);
    }
}
