
// The parameter block of every pooling over windows and its gradient: ops::max_pool2d::MaxPool2d.

struct Params {
    n: u32,
    c: u32,
    h_in: u32,
    w_in: u32,
    h_out: u32,
    w_out: u32,
    kh: u32,
    kw: u32,
    stride_h: u32,
    stride_w: u32,
    pad_top: u32,
    pad_left: u32,
    x_channels: u32,
    x_first: u32,
    y_channels: u32,
    y_first: u32,
    masked: u32,
    mask_channels: u32,
    mask_first: u32,
}
