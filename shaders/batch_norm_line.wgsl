// What batch normalization does to a channel's elements: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, then
// ReLU where asked; gamma is 1 without params.scale, beta 0 without params.center.
//
// It needs of the kernel's own text: gamma, beta (c).

/// What elements are mapped by: (x - mean) slope + shift.
struct Line {
    mean: f32,
    slope: f32,
    shift: f32,
}

fn line_of(c: u32, mean: f32, variance: f32) -> Line {
    var slope = inverseSqrt(variance + params.epsilon);
    if params.scale != 0u {
        slope *= gamma[c];
    }
    var shift = 0.0;
    if params.center != 0u {
        shift = beta[c];
    }
    return Line(mean, slope, shift);
}

fn applied(line: Line, value: Lanes) -> Lanes {
    let mapped = (value - Lanes(line.mean)) * line.slope + Lanes(line.shift);
    if params.relu != 0u {
        return relu_lanes(mapped);
    }
    return mapped;
}
