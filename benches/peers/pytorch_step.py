"""Times training steps in PyTorch: `torch.compile` and fused Adam, in full float32, on CUDA where
there is a card, else on Apple's MPS, else on the CPU.
"""

import torch
from torch import nn
from torch.nn import functional as F

import common

model_name, batch, _ = common.arguments()
torch.manual_seed(0)
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = False


class Same(nn.Module):
    """A convolution or pool whose margins are Keras's "same"; pools see nothing there."""

    def __init__(self, spec, side, inner, fill):
        super().__init__()
        self.margins, self.inner, self.fill = common.margins(spec, side) * 2, inner, fill

    def forward(self, x):
        if any(self.margins):
            x = F.pad(x, self.margins, value=self.fill)
        return self.inner(x)


class Branches(nn.Module):
    def __init__(self, branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def chain(specs, channels, side):
    """The modules of layers of the file, and the channels and rows of what they make."""
    modules = []
    for spec in specs:
        kind, stride = spec["type"], spec.get("strides", 1)
        if kind == "Conv2D":
            bias, size = spec.get("use_bias", True), spec["kernel_size"]
            conv = nn.Conv2d(channels, spec["filters"], size, stride, bias=bias)
            decayed(conv.weight, spec)
            modules.append(Same(spec, side, conv, 0.0))
            channels, side = spec["filters"], -(-side // stride)
        elif kind == "MaxPooling2D":
            pool = nn.MaxPool2d(spec["pool_size"], stride)
            is_same = spec.get("padding") == "same"
            modules.append(Same(spec, side, pool, -torch.inf) if is_same else pool)
            side = -(-side // stride) if is_same else (side - spec["pool_size"]) // stride + 1
        elif kind == "BatchNormalization":
            modules.append(nn.BatchNorm2d(channels, eps=1e-3, momentum=1 - spec["momentum"]))
        elif kind == "Inception":
            made = [chain(branch, channels, side) for branch in spec["branches"]]
            modules.append(Branches(branch for branch, _, _ in made))
            channels = sum(channels for _, channels, _ in made)
        elif kind == "Flatten":
            modules.append(nn.Flatten())
            channels, side = channels * side * side, 1
        elif kind == "GlobalAveragePooling2D":
            modules.append(Mean())
        elif kind == "Dropout":
            modules.append(nn.Dropout(spec["rate"]))
        elif kind == "Dense":
            dense = nn.Linear(channels, spec["units"])
            decayed(dense.weight, spec)
            modules.append(dense)
            channels = spec["units"]
        elif kind != "Activation":
            raise ValueError(kind)
        if spec.get("activation"):
            modules.append(nn.ReLU())
    return nn.Sequential(*modules), channels, side


# Kernels by their L2, whose gradient Adam's `weight_decay` adds; the loss that is printed is without it.
decays = {}


def decayed(kernel, spec):
    decays[id(kernel)] = 2 * spec.get("kernel_regularizer", 0.0)


def groups(model):
    by_decay = {}
    for parameter in model.parameters():
        by_decay.setdefault(decays.get(id(parameter), 0.0), []).append(parameter)
    return [{"params": params, "weight_decay": decay} for decay, params in by_decay.items()]


if torch.cuda.is_available():
    device, device_name, wait = "cuda", torch.cuda.get_device_name(), torch.cuda.synchronize
elif torch.backends.mps.is_available():
    device, device_name, wait = "mps", "mps", torch.mps.synchronize
else:
    device, device_name, wait = "cpu", "cpu", lambda: None

images, labels = (torch.from_numpy(array).to(device) for array in common.data(batch))
labels = labels.long()
images = images.permute(0, 3, 1, 2).contiguous()
image = images[:1]
model = chain(common.layers(model_name), 1, 48)[0]
parameters = groups(model)
model.to(device)
optimizer = torch.optim.Adam(parameters, lr=1e-3, eps=1e-7, fused=True)
forward = torch.compile(model)


def step():
    model.train()
    loss = F.cross_entropy(forward(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    wait()
    return loss.item()


def infer1():
    model.eval()
    with torch.inference_mode():
        return F.softmax(forward(image), 1).cpu().numpy()


common.report(
    "PyTorch", {"torch": torch.__version__}, device_name,
    sum(p.numel() for p in model.parameters()), step, infer1,
)
