"""Writes the files in keras/ beside this script: `inception-gap` for images of 12 x 10 and five classes, with drawn
weights, in every layout that Keras writes, and what Keras says of a few images with those weights.

    python3 -m venv venv && venv/bin/pip install keras==3.15.1 jax==0.10.2 h5py==3.16.0 numpy
    venv/bin/python make_keras_files.py keras

README.md in keras/ says what each file is.
"""
import os, sys, zipfile
os.environ["KERAS_BACKEND"] = "jax"
import h5py, jax, keras, numpy as np
from keras import layers
jax.config.update("jax_enable_x64", True)

OUT = sys.argv[1]
IMAGE, CLASSES = (12, 10, 1), 5


def network(named, last="softmax"):
    name = (lambda text: {"name": text}) if named else (lambda text: {})
    x = keras.Input(IMAGE)
    c = lambda n, k, t: layers.Conv2D(n, k, padding="same", activation="relu", **name(t))
    b3 = c(10, 3, "mid_1.3x3")(c(10, 1, "mid_1.3x3_reduce")(x))
    b5 = c(10, 5, "mid_1.5x5")(c(10, 1, "mid_1.5x5_reduce")(x))
    bp = c(10, 1, "mid_1.pool_proj")(layers.MaxPooling2D(3, strides=1, padding="same")(x))
    y = layers.Concatenate(axis=3, **name("mid_1"))([b3, b5, bp])
    y = layers.GlobalAveragePooling2D(**name("gap"))(y)
    y = layers.Dropout(0.5)(y)
    y = layers.Dense(150, activation="relu", **name("dense_1"))(y)
    return keras.Model(x, layers.Dense(CLASSES, activation=last, **name("output"))(y))


def fill(model):
    draw = np.random.default_rng(11)
    for v in model.trainable_variables:
        fan = int(np.prod(v.shape[:-1])) if len(v.shape) > 1 else 0
        limit = np.sqrt(6.0 / fan) if fan else 0.3
        v.assign(draw.uniform(-limit, limit, v.shape).astype(np.float32))


def kept(path):
    """Of fixed time, so that the same weights make the same archive."""
    with zipfile.ZipFile(path) as z:
        entries = [(i.filename, z.read(i)) for i in z.infolist()]
    with zipfile.ZipFile(path, "w") as z:
        for name, data in entries:
            z.writestr(zipfile.ZipInfo(name), data)


def nameless(path):
    """What Keras wrote before its .weights.h5 had names."""
    with h5py.File(path, "a") as f:
        f.visititems(lambda _, o: o.attrs.pop("name", None) and None)


def legacy(model, path):
    """Keras 2's layout, by h5py: no Keras of today writes it. Its names may hold slashes."""
    with h5py.File(path, "w") as f:
        group = f.create_group("model_weights")
        names = [layer.name.replace(".", "/") for layer in model.layers]
        group.attrs["layer_names"] = [n.encode() for n in names]
        for layer, name in zip(model.layers, names):
            g = group.create_group(name) if name not in group else group[name]
            weights = [v for v in layer.weights if "float" in str(v.dtype)]
            g.attrs["weight_names"] = [f"{name}/{v.name}:0".encode() for v in weights]
            for v in weights:
                g.create_dataset(f"{name}/{v.name}:0", data=np.asarray(v))


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    at = lambda name: os.path.join(OUT, name)
    model = network(named=True)
    fill(model)
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    model.save(at("named.keras"))
    model.save(at("named.h5"))
    model.save_weights(at("named.weights.h5"))
    legacy(model, at("legacy.h5"))
    np.savez_compressed(at("named.npz"), **{f"{v.path.split('/')[0].replace('.', '/')}/{v.name}": np.asarray(v)
                                            for v in model.trainable_variables})
    # Names in the configuration alone, and none at all.
    model.save_weights(at("nameless.weights.h5"))
    nameless(at("nameless.weights.h5"))
    with zipfile.ZipFile(at("named.keras")) as z, zipfile.ZipFile(at("nameless.keras"), "w") as to:
        to.writestr("config.json", z.read("config.json"))
        to.write(at("nameless.weights.h5"), "model.weights.h5")
    for name in ["named.keras", "nameless.keras", "named.npz"]:
        kept(at(name))
    other = network(named=False)
    other.set_weights([np.asarray(v) for v in model.weights])
    other.save_weights(at("other_names.weights.h5"))

    # Noise of growing contrast, as pixels 0..255; the network sees them through 1 / 255.
    pixels = np.random.default_rng(12).integers(0, 256, (6, *IMAGE))
    pixels = (pixels * np.arange(1, 7).reshape(6, 1, 1, 1) // 6).astype(np.uint8)
    exact = network(named=True, last="linear")
    exact.set_weights([np.asarray(v) for v in model.weights])
    logits = exact.predict(pixels.astype(np.float32) / np.float32(255), verbose=0).astype(np.float64)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = powers / powers.sum(1, keepdims=True)
    np.savez(at("expected.npz"), pixels=pixels, probabilities=probabilities)
    kept(at("expected.npz"))
    print(probabilities.round(3))
