"""An optimizer's update in one pass over the weights."""

import math
from typing import Any

import keras
import tensorflow as tf

_LARGE = 1 << 20  # weights of an array from which a pass over memory costs more than a call


def fuse(optimizer: keras.optimizers.Optimizer) -> None:
    """Has an optimizer update each large array in one compiled pass, on one device.

    Keras's update is a dozen operations, each of which reads and writes arrays as large as the
    weights: RMSprop's moves some 60 bytes a weight and holds two more copies of them. Compiled by
    XLA it reads gradient, weight and average once and writes the latter two: 20 bytes. The
    optimizer stays Keras's own, and is saved as such.

    Args:
        optimizer: Changed in place.
    """
    update = optimizer.update_step

    def update_step(gradient: tf.Tensor, variable: Any, learning_rate: tf.Tensor) -> None:
        if math.prod(variable.shape) < _LARGE:
            update(gradient, variable, learning_rate)
            return

        @tf.function(jit_compile=True)
        def in_one_pass(gradient: tf.Tensor, learning_rate: tf.Tensor) -> None:
            update(gradient, variable, learning_rate)

        in_one_pass(gradient, tf.convert_to_tensor(learning_rate))

    optimizer.update_step = update_step
