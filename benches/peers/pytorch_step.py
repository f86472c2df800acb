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


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.reduce3, self.conv3 = nn.Conv2d(1, 10, 1), nn.Conv2d(10, 10, 3, padding=1)
        self.reduce5, self.conv5 = nn.Conv2d(1, 10, 1), nn.Conv2d(10, 10, 5, padding=2)
        self.project = nn.Conv2d(1, 10, 1)
        self.flatten = model_name == "inception"
        units = [48 * 48 * 30 if self.flatten else 30, *common.HIDDEN[model_name]]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(units, units[1:]))
        self.output = nn.Linear(units[-1], 7)

    def forward(self, image):
        conv3 = F.relu(self.conv3(F.relu(self.reduce3(image))))
        conv5 = F.relu(self.conv5(F.relu(self.reduce5(image))))
        pooled = F.relu(self.project(F.max_pool2d(image, 3, 1, 1)))
        x = torch.cat([conv3, conv5, pooled], 1)
        x = x.flatten(1) if self.flatten else x.mean((2, 3))
        for dense in self.hidden:
            x = F.relu(dense(x))
        return self.output(x)


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
model = Inception().to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
forward = torch.compile(model)


def step():
    loss = F.cross_entropy(forward(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    wait()
    return loss.item()


def infer1():
    with torch.inference_mode():
        return F.softmax(forward(image), 1).cpu().numpy()


common.report(
    "PyTorch", {"torch": torch.__version__}, device_name,
    sum(p.numel() for p in model.parameters()), step, infer1,
)
