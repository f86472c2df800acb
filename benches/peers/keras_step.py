"""Times training steps in Keras, on the backend that KERAS_BACKEND names: the article's layers, a
`train_on_batch` (forward, softmax cross-entropy, backward, Adam) a step, in full float32.
"""

import keras
import numpy as np
from keras.layers import (
    Concatenate, Conv2D, Dense, Flatten, GlobalAveragePooling2D, MaxPooling2D, Softmax,
)

import common

model_name, batch, _ = common.arguments()
backend = keras.backend.backend()
keras.utils.set_random_seed(0)


def network():
    def conv(size, x):
        return Conv2D(10, size, padding="same", activation="relu")(x)

    image = keras.Input((48, 48, 1))
    pooled = MaxPooling2D(3, strides=1, padding="same")(image)
    x = Concatenate()([conv(3, conv(1, image)), conv(5, conv(1, image)), conv(1, pooled)])
    x = Flatten()(x) if model_name == "inception" else GlobalAveragePooling2D()(x)
    for units in common.HIDDEN[model_name]:
        x = Dense(units, activation="relu")(x)
    return keras.Model(image, Dense(7)(x))


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
probabilities = keras.Model(model.input, Softmax()(model.output))
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
    device, model.count_params(), step, infer1,
)
