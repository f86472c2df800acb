
// How four neighbours of a row of `operand` are loaded where rows hold whole vectors: at once. The kernels
// declare operand.

alias Stored = vec4<f32>;

/// Elements first ... first + 3 of the row that begins at `row`; zero from `end` on. first and end are
/// multiples of 4.
fn four_of_row(row: u32, first: u32, end: u32) -> vec4<f32> {
    let four = operand[(row + min(first, end - 4u)) / 4u];
    return select(vec4<f32>(), four, first < end);
}
