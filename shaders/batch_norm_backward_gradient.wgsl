// The gradient of x, whose statistics are those of the batch, from a channel's vector (mean, slope, offset, tilt).

fn gradient_of(four: vec4<f32>, dy: Lanes, x: Lanes) -> Lanes {
    return (dy - (Lanes(four.z) + (x - Lanes(four.x)) * four.w)) * four.y;
}
