"""Times training steps in tinygrad on its WEBGPU device: one TinyJit over forward, softmax
cross-entropy, backward and Adam. BEAM=2 in the environment makes it search for faster kernels.
"""

import os
import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

# Dawn's library comes with dawn-python; tinygrad finds it there by itself on Windows alone.
suffix = {"Linux": "so", "Darwin": "dylib", "Windows": "dll"}[platform.system()]
dawn = Path(find_spec("pydawn").origin).parent / "lib"
os.environ.setdefault("WEBGPU_PATH", f"{dawn}/libwebgpu_dawn_{platform.machine()}.{suffix}")
os.environ["DEV"] = "WEBGPU"

from tinygrad import Context, Device, Tensor, TinyJit, nn

import common

model_name, batch, _ = common.arguments()
Tensor.manual_seed(0)


# Kernels with their L2.
decayed = []


def same(spec, side, fill, inner):
    """A convolution or pool whose margins are Keras's "same"; pools see nothing there."""
    margins = common.margins(spec, side) * 2
    if not any(margins):
        return inner
    return lambda x: inner(x.pad(margins, value=fill))


class Branches:
    def __init__(self, branches):
        self.branches = branches

    def __call__(self, x):
        first, *others = [branch(x) for branch in self.branches]
        return first.cat(*others, dim=1)


class Chain:
    """Layers of the file, one behind the other; `channels` and `side` are those of what they make."""

    def __init__(self, specs, channels, side):
        self.channels, self.side, self.layers, self.held = channels, side, [], []
        for spec in specs:
            self.add(spec)
            if spec.get("activation"):
                self.layers.append(Tensor.relu)

    def hold(self, layer, spec):
        self.held.append(layer)
        if spec.get("kernel_regularizer"):
            decayed.append((layer.weight, spec["kernel_regularizer"]))
        return layer

    def add(self, spec):
        kind, stride, side = spec["type"], spec.get("strides", 1), self.side
        if kind == "Conv2D":
            bias, size = spec.get("use_bias", True), spec["kernel_size"]
            conv = nn.Conv2d(self.channels, spec["filters"], size, stride, bias=bias)
            self.layers.append(same(spec, side, 0.0, self.hold(conv, spec)))
            self.channels, self.side = spec["filters"], -(-side // stride)
        elif kind == "MaxPooling2D":
            pool = lambda x: x.max_pool2d(spec["pool_size"], stride)
            is_same = spec.get("padding") == "same"
            self.layers.append(same(spec, side, float("-inf"), pool) if is_same else pool)
            valid = (side - spec["pool_size"]) // stride + 1
            self.side = -(-side // stride) if is_same else valid
        elif kind == "BatchNormalization":
            norm = nn.BatchNorm(self.channels, eps=1e-3, momentum=1 - spec["momentum"])
            self.layers.append(self.hold(norm, {}))
        elif kind == "Inception":
            branches = [Chain(branch, self.channels, side) for branch in spec["branches"]]
            self.held += branches
            self.layers.append(Branches(branches))
            self.channels = sum(branch.channels for branch in branches)
        elif kind == "Flatten":
            self.layers.append(lambda x: x.flatten(1))
            self.channels, self.side = self.channels * side * side, 1
        elif kind == "GlobalAveragePooling2D":
            self.layers.append(lambda x: x.mean((2, 3)))
        elif kind == "Dropout":
            self.layers.append(lambda x: x.dropout(spec["rate"]))
        elif kind == "Dense":
            self.layers.append(self.hold(nn.Linear(self.channels, spec["units"]), spec))
            self.channels = spec["units"]
        elif kind != "Activation":
            raise ValueError(kind)

    def __call__(self, x):
        return x.sequential(self.layers)


model = Chain(common.layers(model_name), 1, 48)
# Some are found in two places: the optimiser keeps each once, and moving statistics apart.
optimizer = nn.optim.Adam(nn.state.get_parameters(model), lr=1e-3, eps=1e-7)
images, labels = common.data(batch)
images = Tensor(images.transpose(0, 3, 1, 2).copy()).realize()
labels = Tensor(labels).realize()
image = images[:1].contiguous().realize()
device = Device[Device.DEFAULT]


@TinyJit
@Context(TRAINING=1)
def train(images, labels):
    optimizer.zero_grad()
    loss = model(images).sparse_categorical_crossentropy(labels)
    for kernel, l2 in decayed:
        loss = loss + l2 * kernel.square().sum()
    return loss.backward().realize(*optimizer.schedule_step())


@TinyJit
def predict(image):
    return model(image).softmax().realize()


def step():
    loss = train(images, labels).item()
    device.synchronize()
    return loss


def infer1():
    return np.array(predict(image).numpy())


common.report(
    f"tinygrad {Device.DEFAULT}", {"tinygrad": version("tinygrad"), "dawn-python": version("dawn-python")}, Device.DEFAULT,
    sum(p.numel() for p in optimizer.params), step, infer1,
)
