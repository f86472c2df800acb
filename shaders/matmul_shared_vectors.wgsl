
// How the forward product and the input gradient reach rows that hold whole vectors. The kernels declare
// operand, relu_mask and result.

alias Stored = vec4<f32>;
const UNIT: u32 = 4u;

/// Four neighbours, from the Stored `at` on: the sum has all of them left.
fn operand_four(at: u32, left: i32) -> vec4<f32> {
    return operand[at];
}

fn mask_four(at: u32, last: u32) -> vec4<f32> {
    return relu_mask[at];
}

fn result_four(at: u32, last: u32) -> vec4<f32> {
    return result[at];
}

fn store_four(at: u32, last: u32, four: vec4<f32>) {
    result[at] = four;
}
