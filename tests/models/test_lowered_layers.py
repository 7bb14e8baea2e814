"""Any model of convolutions gives the same lowered, whatever its sizes and its other layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfseq import native
from tfseq.models import lowering
from tfseq.models.native_training import NativelyTrained


def image_model(shape, *stages):
    inputs = keras.Input(shape)
    x = inputs
    for stage in stages:
        x = stage(x)
    return keras.Model(inputs, x)


# Sizes that blocks of four do not divide, strides, paddings, and layers that it does not know.
MODELS = {
    "width that is not whole blocks": lambda: image_model(
        (4, 37, 1), layers.Conv2D(3, 3, padding="same"), layers.Conv2D(2, 3, padding="same")
    ),
    "narrower than a block": lambda: image_model((2, 3, 2), layers.Conv2D(2, 3, padding="same")),
    "no padding": lambda: image_model((5, 40, 2), layers.Conv2D(3, (3, 5)), layers.ReLU()),
    "stride 2 after padding": lambda: image_model(
        (4, 41, 2), layers.ZeroPadding2D(1), layers.Conv2D(3, 3, strides=2), layers.LeakyReLU(0.1)
    ),
    "stride 2 in time alone": lambda: image_model(
        (4, 48, 2), layers.ZeroPadding2D((1, 1)), layers.Conv2D(3, 3, strides=(1, 2))
    ),
    "same padding with strides": lambda: image_model(
        (4, 48, 2), layers.Conv2D(3, 3, strides=2, padding="same"), layers.Conv2D(2, 1)
    ),
    "a stride that does not divide a block": lambda: image_model(
        (4, 50, 2), layers.Conv2D(3, (3, 5), strides=(1, 3)), layers.Conv2D(2, 2, strides=6)
    ),
    "a kernel that reaches too far": lambda: image_model(
        (4, 50, 2), layers.Conv2D(3, (3, 13), padding="same")
    ),
    "much padding": lambda: image_model(
        (4, 40, 2), layers.ZeroPadding2D(((1, 1), (9, 2))), layers.Conv2D(3, 3)
    ),
    "more padding than image": lambda: image_model(
        (4, 40, 2), layers.ZeroPadding2D(((1, 1), (90, 70))), layers.Conv2D(3, 3, strides=(1, 2))
    ),
    "as wide as whole vectors": lambda: image_model(
        (2, 512, 1), layers.Conv2DTranspose(1, (1, 63)), layers.Cropping2D(((0, 0), (50, 0)))
    ),
    "transposed": lambda: image_model(
        (3, 20, 2),
        layers.Conv2DTranspose(3, 3, strides=2),
        layers.Activation("sigmoid"),
        layers.Conv2DTranspose(1, 3),
        layers.Cropping2D(((1, 2), (3, 1))),
    ),
    "pooling of an odd image": lambda: image_model(
        (5, 42, 2),
        layers.Conv2D(3, 3, padding="same"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2),
    ),
    "pooling without normalization": lambda: image_model(
        (4, 40, 2),
        layers.Conv2D(3, 3, padding="same"),
        layers.Activation("tanh"),
        layers.MaxPooling2D(2),
        layers.Conv2D(2, 3, padding="same"),
    ),
    "other poolings": lambda: image_model(
        (4, 42, 2),
        layers.Conv2D(3, 3, padding="same"),
        layers.MaxPooling2D((1, 3)),
        layers.Conv2D(2, 3, padding="same"),
        layers.AveragePooling2D(2),
    ),
    "layers that it does not know": lambda: image_model(
        (4, 40, 2),
        layers.Conv2D(3, 3, padding="same", activation="relu"),
        layers.Conv2D(3, 3, padding="same"),
        layers.Activation("softmax"),
        layers.LayerNormalization(),
        layers.Conv2D(2, 3, padding="same", use_bias=False, dilation_rate=2),
        layers.Flatten(),
        layers.Dense(5),
    ),
    "normalization of an image that is not whole blocks": lambda: image_model(
        (4, 39, 2), layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()
    ),
    "normalization without a scale": lambda: image_model(
        (4, 40, 2), layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization(scale=False)
    ),
    "sequences": lambda: image_model(
        (51, 1),
        layers.ZeroPadding1D(2),
        layers.Conv1D(2, 3),
        layers.BatchNormalization(),
        layers.LeakyReLU(),
        layers.Cropping1D((1, 2)),
        layers.MaxPooling1D(2),
        layers.BatchNormalization(center=False),
        layers.Conv1D(1, 2),
        layers.MaxPooling1D(3),
    ),
    "sequences with many channels": lambda: image_model(
        (48, 3), layers.Conv1D(8, 3, padding="same"), layers.Conv1D(1, 1, strides=2)
    ),
}


def branched():
    inputs = keras.Input((40, 1))
    x = layers.Conv1D(1, 1)(inputs)
    return keras.Model(inputs, layers.Add()([x, layers.BatchNormalization()(x), inputs]))


@pytest.fixture(params=[*MODELS, "branches"])
def model_and_input(request):
    keras.utils.set_random_seed(3)
    model = branched() if request.param == "branches" else MODELS[request.param]()
    for weight in model.weights:  # zeros and ones would hide mistakes
        weight.assign(np.random.default_rng(weight.shape[-1]).uniform(0.5, 1.5, weight.shape))
    x = np.random.default_rng(4).normal(size=(3, *model.input.shape[1:])).astype(np.float32)
    return model, x


@pytest.mark.parametrize("training", [False, True])
def test_any_model_of_convolutions_gives_the_same(model_and_input, training):
    model, x = model_and_input
    expected = model(x, training=training)
    found = lowering.Lowered(model)(x, training=training)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def output_and_gradients(compute, model, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = compute(x)
        # Not its mean: the gradients of that would all be alike.
        total = tf.reduce_sum(output * tf.cos(tf.range(output.shape[-1], dtype=tf.float32)))
    return [output, *tape.gradient(total, [x, *model.trainable_weights])]


def by_own_kernels(model, x):
    assert native.available()

    native_model = NativelyTrained(model, [])

    def compute(x):
        return native_model(x, training=True)

    with tf.device("CPU:0"):
        return tf.function(output_and_gradients, jit_compile=True)(compute, model, tf.constant(x))


def check_own_kernels(model, x):
    statistics = [np.array(weight) for weight in model.non_trainable_weights]
    expected = output_and_gradients(lambda x: model(x, training=True), model, tf.constant(x))
    moved = [np.array(weight) for weight in model.non_trainable_weights]
    for weight, before in zip(model.non_trainable_weights, statistics, strict=True):
        weight.assign(before)
    # Those of biases before a batch normalization are zero but for rounding.
    rounding = 1e-5 * max(np.abs(each).max() for each in expected)
    for found, wanted in zip(by_own_kernels(model, x), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 + rounding)
    for weight, wanted in zip(model.non_trainable_weights, moved, strict=True):
        np.testing.assert_allclose(weight, wanted, rtol=1e-4, atol=1e-5)


def test_any_model_of_convolutions_trains_the_same_by_own_kernels(model_and_input):
    check_own_kernels(*model_and_input)


@pytest.mark.parametrize("channels", range(1, 10))
def test_own_kernels_take_any_number_of_channels(channels):
    convolution = layers.Conv2D(channels, 3, strides=(1, 2), padding="valid")
    model = image_model((4, 301, 10 - channels), layers.ZeroPadding2D(1), convolution)
    check_own_kernels(
        model, np.random.default_rng(channels).normal(size=(2, *model.input.shape[1:])).astype("f")
    )


def test_own_kernels_give_the_same_bits_each_time():
    model = MODELS["pooling of an odd image"]()
    x = np.random.default_rng(8).normal(size=(200, 5, 42, 2)).astype(np.float32)
    weights, runs = model.get_weights(), []
    for _ in range(5):
        model.set_weights(weights)
        runs.append([*by_own_kernels(model, x), *model.non_trainable_weights])
    for run in runs[1:]:
        for one, two in zip(runs[0], run, strict=True):
            np.testing.assert_array_equal(one, two)


def test_what_is_not_a_number_stays_so_in_the_pooling_of_own_kernels():
    model = image_model((4, 40, 1), layers.Conv2D(1, 1), layers.MaxPooling2D(2))
    x = np.ones((1, 4, 40, 1), np.float32)
    for place in ((0, 0), (1, 3), (2, 5), (3, 6)):
        x[0, *place] = np.nan
    expected = np.zeros((1, 2, 20, 1), bool)
    expected[0, (0, 0, 1, 1), (0, 1, 2, 3)] = True
    np.testing.assert_array_equal(np.isnan(by_own_kernels(model, x)[0]), expected)


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
    model = image_model(
        (4, 40, 2),
        layers.Conv2D(3, 3, padding="same"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2),
    )
    model.layers[2].gamma.assign([-1.0, 2.0, -0.5])
    x = np.random.default_rng(5).normal(size=(3, 4, 40, 2)).astype(np.float32)
    for training in (False, True):
        expected = model(x, training=training)
        found = lowering.Lowered(model)(x, training=training)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    check_own_kernels(model, x)
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
