"""An update in one pass does what Keras's dozen operations do."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import fused_update

optimizers = keras.optimizers
OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.1),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9),
    "nesterov": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda: optimizers.RMSprop(0.1, rho=0.99, epsilon=1e-16),
    "rmsprop with momentum": lambda: optimizers.RMSprop(0.1, momentum=0.8),
    "centered": lambda: optimizers.RMSprop(0.1, centered=True),
    "adam": lambda: optimizers.Adam(0.1, epsilon=1e-8),
    "amsgrad": lambda: optimizers.Adam(0.1, amsgrad=True),
    "adamw": lambda: optimizers.AdamW(0.1, weight_decay=0.1, global_clipnorm=1.0),
    "schedule": lambda: optimizers.Adam(optimizers.schedules.CosineDecay(0.1, 4)),
    "averaged": lambda: optimizers.Adam(0.1, use_ema=True, ema_momentum=0.9),
    "another": lambda: optimizers.Adagrad(0.1),
}


def updated(make, shape, *, fused):
    """Returns what variables and what belongs to them are after five updates."""
    optimizer = make()
    random = np.random.default_rng(2)
    values = [random.normal(size=size) for size in (shape, (3,))]
    variables = [keras.Variable(value, dtype="float32") for value in values]
    optimizer.build(variables)
    if fused:
        fused_update.fuse(optimizer)
    step = tf.function(lambda *gradients: optimizer.apply(gradients, variables))
    for _ in range(5):
        step(*(tf.constant(random.normal(size=v.shape), tf.float32) for v in variables))
    return [value.numpy() for value in (*variables, *optimizer.variables)]


def check(make, shape):
    with tf.device("CPU:0"):
        found, expected = (updated(make, shape, fused=fused) for fused in (True, False))
    for one, two in zip(found, expected, strict=True):
        # Keras rounds one minus a power of 0.999 by that much.
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_is_keras_s(name):
    check(OPTIMIZERS[name], (4, 5))


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_so_is_that_of_an_array_that_takes_long_to_read(name):
    check(OPTIMIZERS[name], (1 << 10, 1 << 10))


def test_adam_is_what_its_authors_wrote():
    (found, *_) = updated(OPTIMIZERS["adam"], (4, 5), fused=True)
    random = np.random.default_rng(2)
    expected, _ = (random.normal(size=size).astype(np.float32) for size in ((4, 5), (3,)))
    expected, mean, square = expected.astype(float), 0.0, 0.0
    for step in range(1, 6):
        gradient, _ = (random.normal(size=size).astype(np.float32) for size in ((4, 5), (3,)))
        mean = 0.9 * mean + 0.1 * gradient.astype(float)
        square = 0.999 * square + 0.001 * gradient.astype(float) ** 2
        root = np.sqrt(square / (1 - 0.999**step))
        expected -= 0.1 * mean / (1 - 0.9**step) / (root + 1e-8)
    np.testing.assert_allclose(found, expected, atol=2e-6)
