//! Layers on images: convolutions, pools, concat, and what maps element to element.

use super::Lowering;
use crate::graph::{Node, TensorId, Window};
use crate::ops::conv2d::{self, Conv2d};
use crate::ops::global_average_pool::{self, GlobalAveragePool};
use crate::ops::max_pool2d::{self, MaxPool2d};
use crate::ops::relu::Planes;
use crate::ops::{self, AnyOp};
use crate::plan::fusion::Place;
use crate::plan::{BufferId, Error};

impl Lowering<'_> {
    /// The parameter block of the convolution that maps `x` to `y` (or back), with both views.
    pub(super) fn conv_params(
        &mut self,
        x: TensorId,
        y: TensorId,
        window: Window,
    ) -> (Conv2d, BufferId, BufferId) {
        let filters = self.nhwc(y)[3];
        let (x_buffer, x_channels, x_first) = self.view(x);
        let (y_buffer, y_channels, y_first) = self.view(y);
        let whole = Conv2d::new(
            self.nhwc(x),
            filters,
            window.size,
            window.stride,
            window.padding,
        );
        (
            Conv2d {
                x_channels,
                x_first,
                y_channels,
                y_first,
                ..whole
            },
            x_buffer,
            y_buffer,
        )
    }

    pub(super) fn conv2d(
        &mut self,
        index: usize,
        node: &Node,
        window: Window,
    ) -> Result<(), Error> {
        let [x, kernel, bias] = node.inputs[..] else {
            unreachable!("conv2d reads three tensors")
        };
        let (params, x, y) = self.conv_params(x, node.outputs[0], window);
        let params = Conv2d {
            relu: self.fusion.relu.contains(&index).into(),
            ..params
        };
        let starts = [
            (x, 0),
            self.flat(kernel, false),
            self.flat(bias, false),
            (y, 0),
        ];
        self.dispatch(&conv2d::Forward, &node.name, &params, &starts)
    }

    pub(super) fn conv2d_backward_input(
        &mut self,
        index: usize,
        node: &Node,
        window: Window,
    ) -> Result<(), Error> {
        let [dy, kernel] = node.inputs[..] else {
            unreachable!("two inputs")
        };
        let (mut params, dx, dy) = self.conv_params(node.outputs[0], dy, window);
        let mut mask_buffer = dy;
        if let Some(&Place { root, first }) = self.fusion.mask.get(&index) {
            mask_buffer = self.root(root);
            params.relu = 1;
            params.mask_channels = self.channels(root, node.outputs[0]);
            params.mask_first = first;
        }
        let starts = [(dy, 0), self.flat(kernel, false), (mask_buffer, 0), (dx, 0)];
        self.dispatch(&conv2d::BackwardInput, &node.name, &params, &starts)
    }

    pub(super) fn conv2d_backward_weight(
        &mut self,
        node: &Node,
        window: Window,
    ) -> Result<(), Error> {
        let [x, dy] = node.inputs[..] else {
            unreachable!("two inputs")
        };
        let (params, x, dy) = self.conv_params(x, dy, window);
        let params = Conv2d {
            splits: params.n.div_ceil(self.options.schedule.images_per_split),
            ..params
        };
        let partial = self.transient(format!("{} partial", node.name), params.partial_len());
        self.dispatch(
            &conv2d::BackwardWeight,
            &node.name,
            &params,
            &[(x, 0), (dy, 0), (partial, 0)],
        )?;
        let [kernel, bias] = self.parameters_of(node);
        let starts = [(partial, 0), self.flat(kernel, true), self.flat(bias, true)];
        self.dispatch(&conv2d::ReduceWeight, &node.name, &params, &starts)
    }

    /// Kernel and bias whose gradients a node computes.
    pub(super) fn parameters_of(&self, node: &Node) -> [TensorId; 2] {
        let graph = &self.model.graph;
        let layer = |suffix: &str| {
            let name = format!("{}/{suffix}", node.name);
            graph
                .parameters()
                .find(|&id| graph.tensors[id].name == name)
                .expect("the layer's parameter")
        };
        [layer("kernel"), layer("bias")]
    }

    pub(super) fn max_pool2d(
        &mut self,
        node: &Node,
        window: Window,
        backward: bool,
    ) -> Result<(), Error> {
        let x = node.inputs[0];
        let y = if backward {
            node.inputs[1]
        } else {
            node.outputs[0]
        };
        let (x_buffer, x_channels, x_first) = self.view(x);
        let (y_buffer, y_channels, y_first) = self.view(y);
        let whole = MaxPool2d::new(self.nhwc(x), window.size, window.stride, window.padding);
        let params = MaxPool2d {
            x_channels,
            x_first,
            y_channels,
            y_first,
            ..whole
        };
        if !backward {
            return self.dispatch(
                &max_pool2d::Forward,
                &node.name,
                &params,
                &[(x_buffer, 0), (y_buffer, 0)],
            );
        }
        // The kernel's x and dx share one view: pool a copy where x is a range of another tensor.
        let x_buffer = self.whole(x)?;
        let (dx, ..) = self.view(node.outputs[0]);
        let params = MaxPool2d {
            x_channels: params.c,
            x_first: 0,
            ..params
        };
        self.dispatch(
            &max_pool2d::Backward,
            &node.name,
            &params,
            &[(x_buffer, 0), (y_buffer, 0), (dx, 0)],
        )
    }

    pub(super) fn concat(&mut self, node: &Node) -> Result<(), Error> {
        let (y, y_channels, mut y_first) = self.view(node.outputs[0]);
        for &branch in &node.inputs {
            let [n, h, w, c] = self.nhwc(branch);
            let (x, a_channels, a_first) = self.view(branch);
            let params = Planes {
                a_channels,
                a_first,
                y_channels,
                y_first,
                ..Planes::whole(n, c, h * w)
            };
            self.dispatch(
                &ops::concat::Forward,
                &node.name,
                &params,
                &[(x, 0), (y, 0)],
            )?;
            y_first += c;
        }
        Ok(())
    }

    pub(super) fn concat_backward(&mut self, node: &Node, first: u32) -> Result<(), Error> {
        let (dy, a_channels, a_first) = self.view(node.inputs[0]);
        let (dx, y_channels, y_first) = self.view(node.outputs[0]);
        let [n, h, w, c] = self.nhwc(node.outputs[0]);
        let params = Planes {
            a_channels,
            a_first: a_first + first,
            y_channels,
            y_first,
            ..Planes::whole(n, c, h * w)
        };
        self.dispatch(
            &ops::concat::Backward,
            &node.name,
            &params,
            &[(dy, 0), (dx, 0)],
        )
    }

    /// An op of one or two inputs, element by element.
    pub(super) fn planes(&mut self, op: &'static dyn AnyOp, node: &Node) -> Result<(), Error> {
        let [n, h, w, c] = self.nhwc(node.outputs[0]);
        let (a, a_channels, a_first) = self.view(node.inputs[0]);
        let (y, y_channels, y_first) = self.view(node.outputs[0]);
        let mut params = Planes {
            a_channels,
            a_first,
            y_channels,
            y_first,
            ..Planes::whole(n, c, h * w)
        };
        let mut starts = vec![(a, 0)];
        if let Some(&second) = node.inputs.get(1) {
            let (b, b_channels, b_first) = self.view(second);
            params = Planes {
                b_channels,
                b_first,
                ..params
            };
            starts.push((b, 0));
        }
        starts.push((y, 0));
        self.dispatch(op, &node.name, &params, &starts)
    }

    pub(super) fn pool_params(&self, x: TensorId) -> GlobalAveragePool {
        let [n, h, w, c] = self.nhwc(x);
        GlobalAveragePool {
            n,
            c,
            pixels: h * w,
            masked: 0,
        }
    }

    pub(super) fn global_average_pool(&mut self, node: &Node) -> Result<(), Error> {
        let params = self.pool_params(node.inputs[0]);
        let x = self.whole(node.inputs[0])?;
        let (y, ..) = self.view(node.outputs[0]);
        self.dispatch(
            &global_average_pool::Forward,
            &node.name,
            &params,
            &[(x, 0), (y, 0)],
        )
    }

    pub(super) fn global_average_pool_backward(
        &mut self,
        index: usize,
        node: &Node,
    ) -> Result<(), Error> {
        let mut params = self.pool_params(node.outputs[0]);
        let dy = self.whole(node.inputs[0])?;
        let (dx, ..) = self.view(node.outputs[0]);
        let mut mask = dy;
        if let Some(place) = self.fusion.mask.get(&index) {
            mask = self.root(place.root);
            params.masked = 1;
        }
        self.dispatch(
            &global_average_pool::Backward,
            &node.name,
            &params,
            &[(dy, 0), (mask, 0), (dx, 0)],
        )
    }
}
