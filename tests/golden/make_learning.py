"""Writes learning.npz beside the other reference vectors: a small network with every kind of layer that keeps state
or shares weights, trained by Keras 3 on JAX in float64 in three ways.

    python3 -m venv golden-venv && golden-venv/bin/pip install keras==3.15.1 jax==0.10.2 numpy
    golden-venv/bin/python make_learning.py OUT_DIR [float32]

README.md beside this file says what each array is. With `float32` nothing is written: it tells how far Keras's own
float32 lies from learning.npz in OUT_DIR.
"""
import os, sys
os.environ["KERAS_BACKEND"] = "jax"
import jax
FLOAT = sys.argv[2] if len(sys.argv) > 2 else "float64"
jax.config.update("jax_enable_x64", FLOAT == "float64")
import numpy as np, keras, jax.numpy as jnp
from keras import layers
keras.config.set_floatx(FLOAT)

OUT, BATCH, STEPS, IMAGE, CLASSES = sys.argv[1], 16, 12, (16, 16, 2), 5


def unit(stream, count):
    """count floats in [0, 1): the top 24 bits of splitmix64 of (stream << 40) + i."""
    with np.errstate(over="ignore"):
        z = (np.uint64(stream) << np.uint64(40)) + np.arange(count, dtype=np.uint64)
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2.0 ** 24


def network(l2):
    regular = keras.regularizers.L2(l2) if l2 else None
    x = image = keras.Input(IMAGE)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, kernel_regularizer=regular, name="stem")(x)
    x = layers.BatchNormalization(name="stem_bn", momentum=0.9)(x)
    stem = layers.Activation("relu", name="stem_relu")(x)
    x = layers.SeparableConv2D(8, 3, padding="same", use_bias=False, depthwise_regularizer=regular,
                               pointwise_regularizer=regular, name="separable")(stem)
    x = layers.BatchNormalization(name="separable_bn", momentum=0.9)(x)
    x = layers.Activation("relu", name="separable_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", depthwise_regularizer=regular, name="depthwise")(x)
    x = layers.Add(name="residual")([stem, x])
    x = layers.AveragePooling2D(3, 2, padding="same", name="pool")(x)
    x = layers.Conv2D(12, 3, padding="same", use_bias=False, kernel_regularizer=regular, name="conv")(x)
    x = layers.BatchNormalization(name="conv_bn", momentum=0.9)(x)
    x = layers.Activation("relu", name="conv_relu")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dense(CLASSES, kernel_regularizer=regular, name="output")(x)
    return keras.Model(image, x)


def initial(model):
    """Each variable by the formula of the README, stream by its place in the model's list."""
    values = {}
    for stream, variable in enumerate(model.weights):
        name, shape = variable.path, variable.shape
        u = 2.0 * unit(stream, int(np.prod(shape))).reshape(shape) - 1.0
        kind = name.split("/")[-1]
        if kind in ("kernel", "pointwise_kernel", "depthwise_kernel"):
            receptive = int(np.prod(shape[:-2]))
            u = u * np.sqrt(6.0 / (receptive * shape[-2] + receptive * shape[-1]))
        elif kind == "gamma":
            u = 1.0 + 0.25 * u
        elif kind == "moving_mean":
            u = 0.0 * u
        elif kind == "moving_variance":
            u = 1.0 + 0.0 * u
        else:
            u = 0.05 * u
        values[name] = np.asarray(u, np.float32)
        variable.assign(values[name].astype(FLOAT))
    return values


WAYS = {
    "rmsprop": (0.0, 0.0, lambda: keras.optimizers.RMSprop(1e-3)),
    "sgd": (5e-3, 0.1, lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True)),
    "adamw": (0.0, 0.0, lambda: keras.optimizers.AdamW(2e-3, weight_decay=0.05, global_clipnorm=0.5)),
}
f32 = lambda a: np.asarray(a, np.float32)


def images(stream):
    return jnp.asarray(f32(unit(stream, BATCH * int(np.prod(IMAGE)))).reshape(BATCH, *IMAGE), FLOAT)


def run(l2, smoothing, make):
    model = network(l2)
    before = initial(model)
    optimizer = make()
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)

    def loss_fn(trained, state, x, y):
        logits, state, extra = model.stateless_call(trained, state, x, training=True, return_losses=True)
        return loss_of(jax.nn.one_hot(y, CLASSES, dtype=FLOAT), logits) + sum(extra), state

    step = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
    out, losses = {}, []
    for t in range(STEPS):
        x = images(7000 + t)
        y = jnp.asarray((unit(8000 + t, BATCH) * CLASSES).astype(np.int32))
        trained = [v.value for v in model.trainable_variables]
        state = [v.value for v in model.non_trainable_variables]
        (loss, state), gradients = step(trained, state, x, y)
        losses.append(float(loss))
        for variable, value in zip(model.non_trainable_variables, state):
            variable.assign(value)
        optimizer.apply(gradients, model.trainable_variables)
    out["losses"] = np.asarray(losses, np.float64)
    for variable in model.weights:
        out[f"final/{variable.path}"] = f32(variable.value)
        out[f"initial/{variable.path}"] = before[variable.path]
    out["probabilities"] = f32(jax.nn.softmax(model(images(9000), training=False)))
    return out


results = {f"{way}/{name}": value for way, how in WAYS.items() for name, value in run(*how).items()}
if FLOAT == "float64":
    np.savez(f"{OUT}/learning.npz", **results)
    sys.exit()
golden = np.load(f"{OUT}/learning.npz")
for way in WAYS:
    change = 0.0
    for name in [n for n in golden if n.startswith(f"{way}/final/")]:
        start = golden[name.replace("final", "initial")]
        moved = np.linalg.norm(golden[name] - start)
        change = max(change, np.linalg.norm(results[name] - golden[name]) / moved)
    far = lambda name: np.abs(results[f"{way}/{name}"] - golden[f"{way}/{name}"]).max()
    print(way, "losses", far("losses"), "changes", change, "probabilities", far("probabilities"))
