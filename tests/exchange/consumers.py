"""Holds the files that fer-gpu writes and reads against the programs that they are for: `.ci/consumers` runs this.

    python consumers.py FER_GPU FOLDER

For every network of the box: a run of a few steps; its ONNX file through onnx.checker and ONNX Runtime, whose
probabilities and logits are held against `fer-gpu predict`; its npz against its safetensors. Where Keras has a twin
of the network below: what Keras says with our weights, and what we say with files that Keras wrote.
"""
import json, os, struct, subprocess, sys, time
import numpy as np

FER_GPU, FOLDER = sys.argv[1:]
DEVICE = ["--device", os.environ.get("CONSUMERS_DEVICE", "lavapipe")]
WITHIN = 1e-5
at = lambda *names: os.path.join(FOLDER, *names)
failures = []


def check(good, what):
    print(("ok      " if good else "FAILED  ") + what, flush=True)
    if not good:
        failures.append(what)


def fer_gpu(*arguments, good=True):
    done = subprocess.run([FER_GPU, *arguments], capture_output=True, text=True)
    if good and done.returncode != 0:
        sys.exit(f"consumers: fer-gpu {' '.join(arguments)}: {done.stderr}")
    return done.stdout if good else done


# Like `inception` to whoever reads their files, and as large.
LIKE_INCEPTION = {"inception-2", "inception-3"}


def networks():
    """The networks of the box that take the generated faces."""
    names = json.loads(fer_gpu("summary", "--json"))["networks"]
    assert "inception" in names and "inception-gap" in names, names
    image = lambda name: json.loads(fer_gpu("summary", "--model", name, "--json"))["image"]
    return [name for name in names if name not in LIKE_INCEPTION and image(name) == [48, 48, 1]]


def answers(weights, images):
    """Our probabilities, (n, classes), in the order of the class numbers."""
    lines = fer_gpu("predict", weights, images, "--json", *DEVICE).splitlines()
    return np.array([list(json.loads(line)["probabilities"].values()) for line in lines])


def onnx_agrees(name, run, images, pixels):
    import onnx, onnxruntime
    path = at(f"{name}.onnx")
    fer_gpu("export", run, "-o", path, "--last")
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    # All at once and one by one: the batch is free.
    x = pixels.astype(np.float32)
    logits, found = session.run(["logits", "probabilities"], {"images": x})
    first, _ = session.run(["logits", "probabilities"], {"images": x[:1]})
    ours = answers(at(f"{name}.safetensors"), images)
    largest = max(1.0, np.abs(logits).max())
    error = np.abs(found - ours).max()
    check(error <= WITHIN, f"{name}: ONNX Runtime's probabilities within {error:.1e}")
    # Probabilities say the logits but for one number that all share.
    sure = ours > 1e-30
    expected = np.log(np.where(sure, ours, 1)) - np.log(ours.max(1, keepdims=True))
    error = np.abs(np.where(sure, logits - logits.max(1, keepdims=True) - expected, 0)).max()
    check(error <= WITHIN * largest, f"{name}: its logits within {error:.1e} of a largest {largest:.1f}")
    error = np.abs(first - logits[:1]).max()
    check(error <= WITHIN * largest, f"{name}: a batch of one says the same")
    spread = np.abs(ours - ours[0]).max()
    check(spread > 1e-6, f"{name}: images are told apart, by {spread:.1e}")
    props = {entry.key: entry.value for entry in model.metadata_props}
    check(len(json.loads(props["names"])) == ours.shape[1], f"{name}: class names in the metadata")


def safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__")
    part = lambda info: np.memmap(path, "<f4", "r", 8 + length + info["data_offsets"][0], tuple(info["shape"]))
    return {name: part(info) for name, info in header.items()}


def npz_agrees(name, run):
    fer_gpu("export", run, "-o", at(f"{name}.npz"), "--last")
    arrays, tensors = np.load(at(f"{name}.npz")), safetensors(at(f"{name}.safetensors"))
    same = set(arrays.files) == set(tensors) and all(np.array_equal(arrays[k], tensors[k]) for k in tensors)
    check(same, f"{name}: numpy reads what safetensors holds, {len(tensors)} tensors")
    return arrays


def inception(head):
    """The networks of the seed article, as tests/golden/make_golden.py has them."""
    from keras import Input, Model, layers
    x = Input((48, 48, 1))
    c = lambda n, k, t: layers.Conv2D(n, k, padding="same", activation="relu", name=t)
    b3 = c(10, 3, "mid_1.3x3")(c(10, 1, "mid_1.3x3_reduce")(x))
    b5 = c(10, 5, "mid_1.5x5")(c(10, 1, "mid_1.5x5_reduce")(x))
    bp = c(10, 1, "mid_1.pool_proj")(layers.MaxPooling2D(3, strides=1, padding="same")(x))
    y = layers.Concatenate(axis=3, name="mid_1")([b3, b5, bp])
    if head == "flatten":
        y = layers.Flatten(name="flat_1")(y)
        for i, n in enumerate([1200, 600, 150]):
            y = layers.Dense(n, activation="relu", name=f"dense_{i + 1}")(y)
    else:
        y = layers.GlobalAveragePooling2D(name="gap")(y)
        y = layers.Dense(150, activation="relu", name="dense_1")(y)
    return Model(x, layers.Dense(7, activation="softmax", name="output")(y))


TWINS = {"inception": lambda: inception("flatten"), "inception-gap": lambda: inception("gap")}


def keras_agrees(name, arrays, images, pixels):
    model = TWINS[name]()
    seen = pixels.astype(np.float32) / np.float32(255)
    ours_of = lambda v: f"{v.path.split('/')[0].replace('.', '/')}/{v.name}"
    for v in model.weights:
        v.assign(arrays[ours_of(v)])
    error = np.abs(model.predict(seen, verbose=0) - answers(at(f"{name}.safetensors"), images)).max()
    check(error <= WITHIN, f"{name}: Keras says the same with our weights, within {error:.1e}")
    # Other weights, so that nothing of the old ones can pass.
    draw = np.random.default_rng(5)
    for v in model.weights:
        v.assign(v + draw.normal(0, 0.02, v.shape).astype(np.float32))
    expected = model.predict(seen, verbose=0)
    endings = ["keras", "h5", "weights.h5", "npz"] if model.count_params() < 1e6 else ["keras", "h5"]
    for ending in endings:
        path = at(f"{name}-by-keras.{ending}")
        if ending == "npz":
            np.savez(path, **{ours_of(v): np.asarray(v) for v in model.weights})
        elif ending == "weights.h5":
            model.save_weights(path)
        else:
            model.save(path)
        imported = at("imported.safetensors")
        fer_gpu("import", path, "--model", name, "-o", imported)
        error = np.abs(expected - answers(imported, images)).max()
        check(error <= WITHIN, f"{name}: weights from Keras's .{ending} say the same, within {error:.1e}")
        os.remove(path)


def tensorboard_agrees(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = EventAccumulator(os.path.join(run, "tensorboard"))
    events.Reload()
    tags = events.Tags()["scalars"]
    values = [event for tag in tags for event in events.Scalars(tag)]
    good = bool(values) and all(np.isfinite(event.value) for event in values)
    check(good, f"TensorBoard reads {len(values)} values of {len(tags)} tags: {', '.join(tags)}")


def main():
    data = at("faces")
    fer_gpu("data", "sample", "--train", "64", "--test", "24", "--out", data)
    images = os.path.join(data, "X_test.npy")
    pixels = np.load(images)
    for name in networks():
        start, run = time.time(), at(name)
        fer_gpu("train", "--model", name, "--data", data, "--batch", "16", "--steps", "2", "--lr", "0.001", "--out", run, *DEVICE)
        fer_gpu("export", run, "-o", at(f"{name}.safetensors"), "--last")
        onnx_agrees(name, run, images, pixels)
        arrays = npz_agrees(name, run)
        if name in TWINS:
            keras_agrees(name, arrays, images, pixels)
        else:
            print(f"        {name}: consumers.py has no twin of it in Keras")
        print(f"        {name}: {time.time() - start:.0f} s", flush=True)
        for ending in ["onnx", "npz", "safetensors"]:
            os.remove(at(f"{name}.{ending}"))
    run = at("with-events")
    fer_gpu("train", "--model", "inception-gap", "--data", data, "--batch", "16", "--epochs", "2", "--tensorboard", "--out", run, *DEVICE)
    tensorboard_agrees(run)
    if failures:
        sys.exit(f"consumers: {len(failures)} failed")


main()
