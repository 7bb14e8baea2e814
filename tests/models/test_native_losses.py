"""Loss and metrics by a kernel are Keras's: values and gradients, for any size."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from convolution_models import MODELS

from tfseq import native
from tfseq.native import losses
from tfseq.native.training import NativelyTrained

NAMES = {"mse": "mean_squared_error", "mae": "mean_absolute_error"}


def arrays(*shape):
    random = np.random.default_rng(sum(shape))
    label = random.normal(size=shape).astype(np.float32)
    prediction = random.normal(size=shape).astype(np.float32)
    prediction[..., ::3] = label[..., ::3]  # where it is right the absolute error has no slope
    return tf.constant(label), tf.constant(prediction)


def value_and_gradient(loss, label, prediction):
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        value = loss(label, prediction)
        # Not their sum: each record has a gradient of its own.
        weights = 1 + tf.range(tf.size(value), dtype=tf.float32)
        total = tf.reduce_sum(tf.reshape(value, [-1]) * weights)
    return value, tape.gradient(total, prediction)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3, 4000), (1, 1), (130, 33), (5, 16), (0, 8), (2, 3, 15)])
def test_values_and_gradients_are_keras_s(name, shape):
    assert native.available()
    label, prediction = arrays(*shape)
    found = tf.function(value_and_gradient)(losses.by_kernel(name), label, prediction)
    expected = value_and_gradient(getattr(keras.losses, NAMES[name]), label, prediction)
    for one, two in zip(found, expected, strict=True):
        assert one.shape == two.shape
        np.testing.assert_allclose(one, two, rtol=2e-6, atol=1e-9)


def test_what_is_not_a_number_shows_in_its_record_alone():
    label, prediction = arrays(3, 50)
    prediction = tf.tensor_scatter_nd_update(prediction, [[1, 49]], [np.nan])
    for name in NAMES:
        found = losses.by_kernel(name)(label, prediction)
        np.testing.assert_array_equal(np.isnan(found), [False, True, False])


def test_labels_of_another_shape_are_refused():
    label, prediction = arrays(3, 50)
    for other in (label[:, :40], label[:2], label[0]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="one shape"):
            losses.mse(other, prediction)


def test_a_model_says_what_it_said_by_keras_s_own():
    model = MODELS["no padding"]()
    x = tf.random.stateless_normal((6, *model.input.shape[1:]), seed=(1, 2))
    y = tf.random.stateless_normal((6, *model.output.shape[1:]), seed=(3, 4))
    for loss in ("mse", "mae", "huber"):
        metrics = [name for name in NAMES if name != loss]
        said = []
        for trains in (NativelyTrained(model), model):
            trains.compile("sgd", loss, metrics=metrics)
            said.append(trains.evaluate(x, y, verbose=0, return_dict=True))
        assert set(said[0]) == {"loss", *metrics}
        assert said[0] == pytest.approx(said[1], rel=1e-5)
