"""Times training steps in Keras, on the backend that KERAS_BACKEND names: the layers of the network's file, a
`train_on_batch` (forward, softmax cross-entropy, backward, Adam) a step, in full float32.
"""

import keras
import numpy as np
from keras import layers

import common

model_name, batch, _ = common.arguments()
backend = keras.backend.backend()
keras.utils.set_random_seed(0)


def made(spec, x):
    """What a layer of the file makes of x."""
    spec = dict(spec)
    kind = spec.pop("type")
    if kind == "Inception":
        return layers.Concatenate()([chain(branch, x) for branch in spec["branches"]])
    spec.pop("name", None)
    if "kernel_regularizer" in spec:
        spec["kernel_regularizer"] = keras.regularizers.L2(spec["kernel_regularizer"])
    return getattr(layers, kind)(**spec)(x)


def chain(specs, x):
    for spec in specs:
        x = made(spec, x)
    return x


def network():
    image = keras.Input((48, 48, 1))
    return keras.Model(image, chain(common.layers(model_name), image))


if backend == "jax":
    import jax as library

    device, xla = str(library.devices()[0].device_kind), True
    library.config.update("jax_default_matmul_precision", "highest")
else:
    import tensorflow as library

    cards = library.config.list_physical_devices("GPU")
    device, xla = (cards[0].name, True) if cards else ("cpu", False)
    library.config.experimental.enable_tensor_float_32_execution(False)

model = network()
probabilities = keras.Model(model.input, layers.Softmax()(model.output))
# TensorFlow's own convolutions on the CPU are twice as fast as XLA's. The loss takes logits, since
# Keras clips probabilities, and a clipped one has no gradient.
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, jit_compile=xla)
probabilities.compile(jit_compile=xla)
images, labels = (keras.ops.convert_to_tensor(array) for array in common.data(batch))
image = images[:1]


def wait():
    """Returns when the last update of the weights is done."""
    np.asarray(model.trainable_variables[-1])


def step():
    model.reset_metrics()  # else Keras returns the mean of all steps so far
    loss = float(model.train_on_batch(images, labels))
    wait()
    return loss


def infer1():
    return np.asarray(probabilities.predict_on_batch(image))


common.report(
    f"Keras on {library.__name__}",
    {"keras": keras.__version__, library.__name__: library.__version__},
    device, sum(int(np.prod(w.shape)) for w in model.trainable_weights), step, infer1,
)
