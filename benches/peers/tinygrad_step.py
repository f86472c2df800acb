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


class Inception:
    def __init__(self):
        self.reduce3, self.conv3 = nn.Conv2d(1, 10, 1), nn.Conv2d(10, 10, 3, padding=1)
        self.reduce5, self.conv5 = nn.Conv2d(1, 10, 1), nn.Conv2d(10, 10, 5, padding=2)
        self.project = nn.Conv2d(1, 10, 1)
        self.flatten = model_name == "inception"
        units = [48 * 48 * 30 if self.flatten else 30, *common.HIDDEN[model_name]]
        self.hidden = [nn.Linear(a, b) for a, b in zip(units, units[1:])]
        self.output = nn.Linear(units[-1], 7)

    def __call__(self, image):
        conv3 = self.conv3(self.reduce3(image).relu()).relu()
        conv5 = self.conv5(self.reduce5(image).relu()).relu()
        pooled = self.project(image.max_pool2d(3, 1, padding=1)).relu()
        x = conv3.cat(conv5, pooled, dim=1)
        x = x.flatten(1) if self.flatten else x.mean((2, 3))
        for dense in self.hidden:
            x = dense(x).relu()
        return self.output(x)


model = Inception()
parameters = nn.state.get_parameters(model)
optimizer = nn.optim.Adam(parameters, lr=1e-3, eps=1e-7)
images, labels = common.data(batch)
images = Tensor(images.transpose(0, 3, 1, 2).copy()).realize()
labels = Tensor(labels).realize()
image = images[:1].contiguous().realize()
device = Device[Device.DEFAULT]


@TinyJit
@Context(TRAINING=1)
def train(images, labels):
    optimizer.zero_grad()
    loss = model(images).sparse_categorical_crossentropy(labels).backward()
    return loss.realize(*optimizer.schedule_step())


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
    sum(p.numel() for p in parameters), step, infer1,
)
