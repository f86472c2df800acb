// A convolution seen from its output, in either direction: y over x, or the gradient of x over dy.

/// Which of the parameters belong to the source, and which to the output.
struct Walk {
    backward: bool,
    /// Channels that are summed, and channels of the output.
    depth: u32,
    channels: u32,
    /// Channel ranges of the source and of the output.
    stored: u32,
    first: u32,
    to_stored: u32,
    to_first: u32,
    /// Rows of either, and padding before the first row.
    height: u32,
    to_height: u32,
    top: u32,
    /// Columns of either.
    width: u32,
    to_width: u32,
}

fn forward_walk() -> Walk {
    return Walk(
        false, params.c_in, params.c_out, params.x_channels, params.x_first, params.y_channels, params.y_first,
        params.h_in, params.h_out, params.pad_top, params.w_in, params.w_out,
    );
}

/// The gradient of the input: a walk over dy, with the kernel turned by 180 degrees and the channels swapped.
fn backward_walk() -> Walk {
    return Walk(
        true, params.c_out, params.c_in, params.y_channels, params.y_first, params.x_channels, params.x_first,
        params.h_out, params.h_in, params.kh - 1u - params.pad_top, params.w_out, params.w_in,
    );
}
