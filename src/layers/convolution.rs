//! What the convolutional layers share: the kernels of one convolution between two images, whether each filter
//! reads every channel or one, and the shapes and arguments of a window.

use super::{Arguments, Unreadable};
use crate::graph::{
    Caps, Emit, Gradient, Mask, Node, Pass, Place, Refusal, Shares, Slot, TensorId, View, Window,
};
use crate::ops::conv2d::{self, Conv2d};
use crate::ops::pointwise_sum::{BackwardSum, Product, Products};
use crate::ops::{AnyOp, depthwise_conv2d};
use crate::tensor::Shape;
use serde_json::{Value, json};

/// What a filter reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// Every channel.
    All,
    /// One channel, as many filters side by side reading each.
    One,
}

/// A convolution as its ops know it; a layer has one or several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolution {
    pub reads: Reads,
    pub window: Window,
    /// Channels of its output.
    pub filters: u32,
}

impl Convolution {
    /// The parameter block between `x` and `y` (or their gradients), and where both lie.
    fn between(&self, [x, y]: [TensorId; 2], emit: &mut dyn Emit) -> (Conv2d, Place, Place) {
        let (from, to) = (emit.view(x), emit.view(y));
        let Window {
            size,
            stride,
            padding,
        } = self.window;
        let whole = Conv2d::new(emit.nhwc(x), self.filters, size, stride, padding);
        let params = Conv2d {
            x_channels: from.channels,
            x_first: from.first,
            y_channels: to.channels,
            y_first: to.first,
            ..whole
        };
        (params, from.place, to.place)
    }

    /// Is each pixel of its output a product of the image's pixel there, in whole vectors of pixels and of filters?
    pub fn is_product(&self, image: &Shape) -> bool {
        let [_, h, w, _] = image.nhwc();
        let all = self.reads == Reads::All;
        let one = [self.window.size, self.window.stride] == [[1, 1]; 2];
        all && one && (h * w).is_multiple_of(4) && self.filters.is_multiple_of(4)
    }

    /// Emits a pass of a layer that is just this.
    pub fn lower(&self, node: &Node, emit: &mut dyn Emit) {
        let [first, made] = [node.inputs[0], node.outputs[0]];
        match node.pass {
            Pass::Forward => {
                let bias = node.own.get(1).copied();
                let relu = emit.relu();
                self.forward([first, made], node.own[0], bias, relu, emit);
            }
            Pass::Backward(0) => {
                let mask = emit.mask();
                self.backward_input([first, made], node.own[0], mask, emit);
            }
            _ => {
                let between = [first, node.inputs[1]];
                self.backward_weight(&node.name, between, &node.outputs, emit);
            }
        }
    }

    /// x, kernel, bias (zeros where there is none) -> y
    pub fn forward(
        &self,
        between: [TensorId; 2],
        kernel: TensorId,
        bias: Option<TensorId>,
        relu: bool,
        emit: &mut dyn Emit,
    ) {
        let (params, x, y) = self.between(between, emit);
        let kernel = emit.held(kernel);
        let bias = match bias {
            Some(bias) => emit.held(bias),
            None => emit.zeros(self.filters as usize),
        };
        let params = Conv2d {
            relu: relu.into(),
            ..params
        };
        let op: &'static dyn AnyOp = match self.reads {
            Reads::All => &conv2d::Forward,
            Reads::One => &depthwise_conv2d::Forward,
        };
        emit.dispatch(op, &params, &[x, kernel, bias, y]);
    }

    /// x, dy -> dkernel, dbias (where there is one): in shares of the batch, then their sum.
    pub fn backward_weight(
        &self,
        name: &str,
        between: [TensorId; 2],
        gradients: &[TensorId],
        emit: &mut dyn Emit,
    ) {
        let (params, x, dy) = self.between(between, emit);
        let schedule = emit.schedule();
        let images = schedule.images_per_split;
        let (op, params): (&'static dyn AnyOp, _) = match self.reads {
            Reads::All => (
                &conv2d::BackwardWeight,
                match schedule.workgroups {
                    Some(workgroups) => params.shares_for(workgroups),
                    None => params.shares_of_images(images * params.images_to_fill()),
                },
            ),
            Reads::One => (
                &depthwise_conv2d::BackwardWeight,
                depthwise_conv2d::in_shares(params, images),
            ),
        };
        let (words, reduce) = match self.reads {
            Reads::All => (params.partial_len(), params),
            Reads::One => (
                depthwise_conv2d::partial_len(&params),
                depthwise_conv2d::reduce_block(&params),
            ),
        };
        let partial = emit.scratch(format!("{name} partial"), words);
        emit.dispatch(op, &params, &[x, dy, partial]);
        let shares = Shares {
            place: partial,
            shares: params.splits,
            words: (words / params.splits as usize) as u32,
        };
        if emit.sum_later(shares, gradients) {
            return;
        }
        let mut made = gradients
            .iter()
            .map(|&gradient| emit.gradient_or_scratch(gradient));
        let kernel = made.next().expect("a kernel's gradient");
        // The kernels sum dy whether there is a bias or not.
        let bias = made.next();
        let unread = || emit.scratch(format!("{name} no bias"), self.filters as usize);
        let bias = bias.unwrap_or_else(unread);
        emit.dispatch(&conv2d::ReduceWeight, &reduce, &[partial, kernel, bias]);
    }

    /// dy, kernel -> dx, stopped by the mask
    pub fn backward_input(
        &self,
        [dy, dx]: [TensorId; 2],
        kernel: TensorId,
        mask: Option<View>,
        emit: &mut dyn Emit,
    ) {
        let (mut params, dx, dy) = self.between([dx, dy], emit);
        let mut place = dy;
        if let Some(view) = mask {
            place = view.place;
            params.relu = 1;
            params.mask_channels = view.channels;
            params.mask_first = view.first;
        }
        let kernel = emit.held(kernel);
        let op: &'static dyn AnyOp = match self.reads {
            Reads::All => &conv2d::BackwardInput,
            Reads::One => &depthwise_conv2d::BackwardInput,
        };
        emit.dispatch(op, &params, &[dy, kernel, place, dx]);
    }
}

/// Emits the gradient of an image that products read ([`Convolution::is_product`]), and perhaps another layer, stopped
/// by the mask. Their kernels lie in one buffer.
pub(super) fn backward_sum(
    sum: &Node,
    products: &[&Node],
    other: Option<TensorId>,
    emit: &mut dyn Emit,
) {
    let made = sum.outputs[0];
    let [n, h, w, channels] = emit.nhwc(made);
    let kernels: Vec<Place> = products.iter().map(|p| emit.held(p.own[0])).collect();
    let first = kernels.iter().min_by_key(|place| place.offset);
    let first = *first.expect("a product");
    let views: Vec<View> = products.iter().map(|p| emit.view(p.inputs[0])).collect();
    let of = |at: usize| Product {
        depth: emit.nhwc(products[at].inputs[0])[3],
        dy: [views[at].channels, views[at].first],
        kernel: ((kernels[at].offset - first.offset) / 4) as u32,
    };
    let terms: Vec<Product> = (0..products.len()).map(of).collect();
    let to = emit.view(made);
    let mut params = Products::new([n, channels, h * w], &terms, [to.channels, to.first]);
    let (other, mask) = (other.map(|other| emit.view(other)), emit.mask());
    if let Some(view) = other {
        params = params.added([view.channels, view.first]);
    }
    if let Some(view) = mask {
        params = params.masked([view.channels, view.first]);
    }
    // What is not read may be any buffer.
    let place = |view: Option<View>| view.unwrap_or(views[0]).place;
    let [a, b, c] = [0, 1, 2].map(|at| place(views.get(at).copied()));
    let places = [a, b, c, first, place(other), place(mask), to.place];
    emit.dispatch(&BackwardSum, &params, &places);
}

/// The gradients of a layer that is one convolution: of x, then of kernel and bias, which nobody waits for.
pub(super) fn gradients(use_bias: bool) -> Vec<Gradient> {
    use Slot::{GradIn, GradOut, GradOwn, In, Own};
    let own = [GradOwn(0), GradOwn(1)];
    let own = &own[..1 + usize::from(use_bias)];
    vec![
        Gradient::new(&[GradOut(0), Own(0)], &[GradIn(0)]),
        Gradient::new(&[In(0), GradOut(0)], own),
    ]
}

/// What its passes allow.
pub(super) fn caps(pass: Pass) -> Caps {
    match pass {
        Pass::Forward => Caps {
            ranged: true,
            relu: true,
            kernel: Some(0),
            ..Caps::default()
        },
        Pass::Backward(0) => Caps {
            ranged: true,
            mask: Mask::Range,
            ..Caps::default()
        },
        _ => Caps::default(),
    }
}

/// (n, h, w, c) of the one image that a window slides over, and the height and width that it makes of it.
pub(super) fn slide(window: &Window, inputs: &[&Shape]) -> Result<([u32; 4], [u32; 2]), Refusal> {
    let [Shape(x)] = inputs else {
        return Err(Refusal::new("one image", inputs));
    };
    let &[n, h, w, c] = &x[..] else {
        return Err(Refusal::new("an image (n, h, w, c)", inputs));
    };
    let output = Window::output([h, w], window);
    if output.contains(&0) {
        let [kh, kw] = window.size;
        let expected = format!("an image of at least {kh} x {kw} pixels");
        return Err(Refusal::new(expected, inputs));
    }
    Ok(([n, h, w, c], output))
}

/// Channels that `multiplier` filters for each of `channels` channels make.
pub(super) fn multiplied(
    channels: u32,
    multiplier: u32,
    inputs: &[&Shape],
) -> Result<u32, Refusal> {
    let many = || {
        let expected = format!("fewer channels for {multiplier} filters each");
        Refusal::new(expected, inputs)
    };
    channels.checked_mul(multiplier).ok_or_else(many)
}

/// Multiplications with an addition each of `filters` filters that read `channels` channels each.
pub(super) fn multiply_adds(window: &Window, image: &Shape, channels: u32, filters: u32) -> u64 {
    let [_, h, w, _] = image.nhwc();
    let extents = [
        window.size,
        Window::output([h, w], window),
        [channels, filters],
    ];
    extents.as_flattened().iter().map(|&n| n as u64).product()
}

/// The window of a convolution.
pub(super) fn parse_window(arguments: &mut Arguments) -> Result<Window, Unreadable> {
    let size = arguments.pair("kernel_size", None)?;
    let stride = arguments.pair("strides", Some([1, 1]))?;
    let padding = arguments.padding()?;
    arguments.only_one("dilation_rate")?;
    Ok(Window {
        size,
        stride,
        padding,
    })
}

/// Its arguments.
pub(super) fn window_config(window: &Window) -> Value {
    json!({
        "kernel_size": window.size,
        "strides": window.stride,
        "padding": window.padding.to_string(),
    })
}
