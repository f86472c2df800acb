
// How four neighbours of a row of `operand` are loaded where rows have any length: one by one. The
// kernels declare operand.

alias Stored = f32;

/// Elements first ... first + 3 of the row that begins at `row`; zero from `end` on.
fn four_of_row(row: u32, first: u32, end: u32) -> vec4<f32> {
    let inside = first + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end);
    let at = row + min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(end - 1u));
    let four = vec4<f32>(operand[at.x], operand[at.y], operand[at.z], operand[at.w]);
    return select(vec4<f32>(), four, inside);
}
