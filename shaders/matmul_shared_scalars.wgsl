
// How the forward product and the input gradient reach rows of any length. The kernels declare operand,
// relu_mask and result.

alias Stored = f32;
const UNIT: u32 = 1u;

/// Element `at` and its three neighbours, of which the sum has `left` left; zero behind those.
fn operand_four(at: u32, left: i32) -> vec4<f32> {
    let places = vec4<i32>(0, 1, 2, 3);
    // No less than none: then the last one of the sum is read in their place.
    let near = vec4<u32>(vec4<i32>(i32(at)) + min(places, vec4<i32>(left - 1)));
    let four = vec4<f32>(operand[near.x], operand[near.y], operand[near.z], operand[near.w]);
    return select(vec4<f32>(), four, places < vec4<i32>(left));
}

/// Element `at` and its three neighbours; what lies behind `at + last` is not there, and that one is repeated.
fn mask_four(at: u32, last: u32) -> vec4<f32> {
    return vec4<f32>(
        relu_mask[at], relu_mask[at + min(1u, last)], relu_mask[at + min(2u, last)], relu_mask[at + min(3u, last)],
    );
}

fn result_four(at: u32, last: u32) -> vec4<f32> {
    return vec4<f32>(result[at], result[at + min(1u, last)], result[at + min(2u, last)], result[at + min(3u, last)]);
}

fn store_four(at: u32, last: u32, four: vec4<f32>) {
    for (var i = 0u; i <= min(last, 3u); i += 1u) {
        result[at + i] = four[i];
    }
}
