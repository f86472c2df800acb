"""What every Python peer shares: the arguments, the data, the clock, and the one line of JSON.

    python X_step.py MODEL BATCH STEPS
"""

import json
import sys
import time

import numpy as np

PARAMETERS = {"inception": 83_760_487, "inception-gap": 9_187}
HIDDEN = {"inception": [1200, 600, 150], "inception-gap": [150]}
WARM_UP = 5


def arguments():
    """MODEL, BATCH and STEPS of the command line."""
    _, model, batch, steps = sys.argv
    if model not in PARAMETERS:
        sys.exit(f"no model {model}")
    return model, int(batch), int(steps)


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
