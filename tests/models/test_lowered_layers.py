"""Any model of convolutions gives the same lowered, whatever its sizes and its other layers."""

import numpy as np
import pytest
from convolution_models import image_model, scaled_below_zero
from keras import layers

from tfseq.models import lowering


@pytest.mark.parametrize("training", [False, True])
def test_any_model_of_convolutions_gives_the_same(model_and_input, training):
    model, x = model_and_input
    expected = model(x, training=training)
    found = lowering.Lowered(model)(x, training=training)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_any_model_of_convolutions_infers_the_same_in_strips(model_and_input):
    model, x = model_and_input
    found = lowering.XlaInference(model)(x)
    np.testing.assert_allclose(found, model(x, training=False), rtol=1e-4, atol=1e-4)


def test_many_layers_use_up_the_margin_of_the_strips():
    convolutions = [layers.Conv2D(2, 3, padding="same") for _ in range(15)]
    model = image_model((2, 40, 1), *convolutions)
    x = np.random.default_rng(6).normal(size=(2, 2, 40, 1)).astype(np.float32)
    np.testing.assert_allclose(lowering.XlaInference(model)(x), model(x), rtol=1e-4, atol=1e-4)


def test_what_overflows_beside_an_image_stays_there():
    model = image_model(
        (1, 20, 1),
        layers.Conv2D(1, (1, 3), padding="same"),
        layers.Conv2D(1, (1, 3), padding="same"),
    )
    for layer in model.layers[1:]:
        layer.set_weights([np.array([3e38, 0, 0]).reshape(1, 3, 1, 1), np.zeros(1)])
    x = np.zeros((1, 1, 20, 1), np.float32)
    x[..., -1, :] = 10  # only what lies after the image reads it
    np.testing.assert_array_equal(lowering.XlaInference(model)(x), 0)


def test_scales_below_zero_pool_what_becomes_largest():
    model = scaled_below_zero()
    x = np.random.default_rng(5).normal(size=(3, 4, 40, 2)).astype(np.float32)
    for training in (False, True):
        expected = model(x, training=training)
        found = lowering.Lowered(model)(x, training=training)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    found = lowering.XlaInference(model)(x)
    np.testing.assert_allclose(found, model(x, training=False), rtol=1e-4, atol=1e-5)


def test_dropout_drops_whole_channels_in_training_alone():
    model = image_model(
        (4, 40, 1),
        layers.Conv2D(50, 1, bias_initializer="ones", kernel_initializer="zeros"),
        layers.SpatialDropout2D(0.3, seed=7),
    )
    twin, x = lowering.Lowered(model), np.ones((40, 4, 40, 1), np.float32)
    np.testing.assert_array_equal(twin(x, training=False), 1)
    dropped = np.asarray(twin(x, training=True))
    assert {round(float(value), 5) for value in np.unique(dropped)} == {0, round(1 / 0.7, 5)}
    assert (dropped == dropped[:, :1, :1]).all()
    assert (dropped[:, 0, 0] == 0).mean() == pytest.approx(0.3, abs=0.03)
    assert not np.array_equal(dropped, twin(x, training=True))
