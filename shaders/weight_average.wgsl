// weight_average: average += averaging * (w - average) over a flat block of weights, averaging being the step's.
//
// w, average (count / 4) vectors; metrics (4): where metrics[2] is not zero a loss was not finite and nothing
// changes. An invocation owns four weights.

override WORKGROUP: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> metrics: array<f32>;
@group(0) @binding(4) var<storage, read_write> average: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn weight_average(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = workgroup_index(group, groups) * WORKGROUP + local;
    if i < params.count / 4u && metrics[2] == 0.0 {
        let before = average[i];
        average[i] = before + step.averaging * (w[i] - before);
    }
}
