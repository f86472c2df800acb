"""What every Python peer shares: the arguments, the networks, the data, the clock, and the one line of JSON.

    python X_step.py MODEL BATCH STEPS
"""

import json
import sys
import time
import tomllib
from pathlib import Path

import numpy as np

# Of those that are trained.
PARAMETERS = {
    "inception": 83_760_487,
    "inception-gap": 9_187,
    "fer-inception": 380_239,
    "mollahosseini": 7_346_343,
}
CLASSES = 7
WARM_UP = 5


def arguments():
    """MODEL, BATCH and STEPS of the command line."""
    _, model, batch, steps = sys.argv
    if model not in PARAMETERS:
        sys.exit(f"no model {model}")
    return model, int(batch), int(steps)


def layers(model):
    """The layers of networks/MODEL.toml, with the number of classes filled in; the last makes logits. An Inception
    block has `branches`: lists of layers over the block's input, whose outputs are joined along their channels."""
    path = Path(__file__).resolve().parents[2] / "networks" / f"{model}.toml"
    all_layers = tomllib.loads(path.read_text())["layer"]
    all_layers[-1].update(units=CLASSES, activation=None)
    for layer in all_layers:
        if layer["type"] == "Inception":
            layer["branches"] = branches(layer)
    return all_layers


def branches(block):
    """1x1; 1x1, 3x3; 1x1, 5x5 or two 3x3; a pool, 1x1: what has no filters is not there."""
    filters, double = block["filters"], block.get("double_3x3", False)
    kernel = {key: block[key] for key in ("kernel_initializer", "kernel_regularizer") if key in block}
    norm = block.get("batch_norm")

    def conv(name, size, channels=None):
        channels = channels or filters.get(name)
        if not channels:
            return []
        own = {"filters": channels, "kernel_size": size, "padding": "same", "use_bias": norm is None}
        made = [{"type": "Conv2D", **own, **kernel}]
        if norm is not None:
            made.append({"type": "BatchNormalization", **norm})
        return [*made, {"type": "Activation", "activation": "relu"}]

    large = conv("5x5", 5)
    if double:
        large = conv("5x5_middle", 3, filters["5x5"]) + conv("5x5", 3)
    pool = {"type": "MaxPooling2D", "pool_size": 3, "strides": 1, "padding": "same"}
    found = [
        conv("1x1", 1),
        conv("3x3_reduce", 1) + conv("3x3", 3),
        conv("5x5_reduce", 1) + large,
        [pool] + conv("pool_proj", 1),
    ]
    return [branch for branch in found if branch]


def margins(layer, side):
    """Rows before and behind an image of `side` rows that a layer with padding "same" adds, as Keras does."""
    size, stride = layer.get("kernel_size", layer.get("pool_size")), layer.get("strides", 1)
    total = max((-(-side // stride) - 1) * stride + size - side, 0)
    return total // 2, total - total // 2


def data(batch):
    """Images (batch, 48, 48, 1) in [0, 1) and their class numbers, the same each time."""
    random = np.random.default_rng(0)
    images = random.random((batch, 48, 48, 1), np.float32)
    return images, random.integers(0, 7, batch).astype(np.int32)


def timed(work, steps):
    """Milliseconds of each call after the warm-up, and what each returned."""
    times, results = [], []
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        results.append(work())
        times.append((time.perf_counter() - start) * 1e3)
    return times[WARM_UP:], results[WARM_UP:]


def report(peer, versions, device, parameters, step, infer1):
    """Times `step` and `infer1` and prints the line.

    `step` trains once and returns the loss as a float, with nothing left to do on the device;
    `infer1` returns the probabilities of one image as an array on the host.
    """
    model, batch, steps = arguments()
    assert parameters == PARAMETERS[model], parameters
    step_ms, losses = timed(step, steps)
    infer1_ms, probabilities = timed(infer1, steps)
    assert all(abs(p.sum() - 1) < 1e-3 for p in probabilities), probabilities
    print(json.dumps({
        "peer": peer, "versions": versions, "device": device, "model": model, "batch": batch,
        "step_ms": step_ms, "losses": losses, "infer1_ms": infer1_ms,
    }))
