"""Kernels for sequences with many channels compute what Keras's layers do, forward and back."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfseq import models, native, transform
from tfseq.native.frames import LoweredToFrames, has_frames

pytestmark = [
    pytest.mark.skipif(not native.available(), reason="needs a C++ compiler"),
    pytest.mark.skipif(bool(tf.config.list_logical_devices("GPU")), reason="for a processor alone"),
]
SIZES = {
    "as in seqnet": (5, 250, 64, 64, 5, 4),
    "a single record": (1, 250, 64, 64, 5, 16),
    "mixing": (3, 31, 32, 32, 1, 1),
    "many filters": (2, 13, 16, 80, 3, 2),
    "many channels": (2, 13, 80, 16, 3, 1),
    "more records than groups": (19, 6, 16, 16, 3, 1),
    "a record shorter than the reach": (2, 7, 16, 32, 5, 16),
    "a single step": (2, 1, 16, 16, 3, 1),
    "frames of many steps": (3, 4000, 20, 64, 32, 1, 16),
    "frames that the last step does not fill": (3, 103, 3, 16, 32, 1, 16),
    "frames one by one": (2, 22, 5, 32, 3, 1, 3),
    "taps on one side more": (2, 20, 16, 32, 4, 3),
    "three taps": (2, 50, 48, 32, 3, 2),
    "seven taps": (2, 53, 32, 16, 7, 3),
    "more taps than tiles have": (2, 25, 16, 16, 9, 2),
    "more tiles than a block has": (2, 301, 16, 16, 5, 1),
}


def convolution(steps, channels, filters, taps, dilation, stride=1, **settings):
    keras.utils.set_random_seed(4)
    x = keras.Input((steps, channels))
    settings = {"padding": "same", "dilation_rate": dilation, "strides": stride} | settings
    settings = {"bias_initializer": "normal"} | settings
    return keras.Model(x, layers.Conv1D(filters, taps, **settings)(x))


def normalization(steps, channels, **settings):
    keras.utils.set_random_seed(5)
    x = keras.Input((steps, channels))
    settings = {"beta_initializer": "normal", "gamma_initializer": "uniform"} | settings
    return keras.Model(x, layers.LayerNormalization(**settings)(x))


def values_and_gradients(model, x, upstream):
    """Of the input, of the kernel and of the bias."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x, training=True)
    weights = [each.value for each in model.trainable_variables]
    return [y, *tape.gradient(y, [x, *weights], upstream)]


def check(model, records, tolerance=2e-6):
    random = np.random.default_rng(6)
    x = random.normal(size=(records, *model.input.shape[1:])).astype(np.float32)
    upstream = random.normal(size=(records, *model.output.shape[1:])).astype(np.float32)
    found = values_and_gradients(LoweredToFrames(model), x, upstream)
    expected = values_and_gradients(model, x, upstream)
    for one, other in zip(found, expected, strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", SIZES)
def test_a_convolution_and_its_gradients_are_keras_s(name):
    records, steps, channels, *sizes = SIZES[name]
    model = convolution(steps, channels, *sizes)
    assert has_frames(model)
    check(model, records)


@pytest.mark.parametrize(
    "settings",
    [
        {"filters": 24},
        {"channels": 20},
        {"padding": "valid"},
        {"stride": 2, "dilation": 1},
        {"activation": "relu"},
        {"use_bias": False},
        {"groups": 2},
    ],
    ids=str,
)
def test_what_they_do_not_know_is_left_to_keras(settings):
    sizes = {"steps": 12, "channels": 32, "filters": 32, "taps": 3, "dilation": 2}
    model = convolution(**(sizes | settings))
    assert not has_frames(model)
    x = np.random.default_rng(1).normal(size=(2, *model.input.shape[1:])).astype(np.float32)
    np.testing.assert_array_equal(LoweredToFrames(model)(x), model(x))


def test_sums_do_not_depend_on_which_thread_was_faster():
    model = convolution(250, 64, 64, 5, 2)
    random = np.random.default_rng(7)
    x = random.normal(size=(40, 250, 64)).astype(np.float32)
    upstream = random.normal(size=(40, 250, 64)).astype(np.float32)
    first, *others = [values_and_gradients(LoweredToFrames(model), x, upstream) for _ in range(4)]
    for other in others:
        for one, two in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, two)


def seqnet(**settings):
    keras.utils.set_random_seed(2)
    settings = {"waveform_shape": (3, 400), "filters": 16, "blocks": 6} | settings
    return models.build("seqnet", views=transform.VIEWS, **({"dropout": 0.0} | settings))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"context": False},
        {"kernel_size": 9, "filters": 32, "blocks": 2},
        {"activation": "gelu", "blocks": 2},
        {"filters": 24, "blocks": 2},
        {"waveform_shape": (2, 389), "blocks": 2},
    ],
    ids=str,
)
def test_all_of_seqnet_is_trained_as_by_keras(settings):
    check(seqnet(**settings), records=7, tolerance=1e-5)


def operations_of(model):
    step = tf.function(LoweredToFrames(model)).get_concrete_function(
        tf.TensorSpec((None, *model.input.shape[1:])), training=True
    )
    return [each.type for each in step.graph.get_operations()]


def test_each_block_of_seqnet_is_one_operation():
    found = operations_of(seqnet())
    assert found.count("TfseqFrameBlock") == 6
    assert found.count("TfseqConvolveFramesOfInput") == 1
    assert not [each for each in found if "Conv2D" in each or "MatMul" in each]


@pytest.mark.parametrize("settings", [{"context": False}, {"activation": "gelu"}], ids=str)
def test_other_blocks_are_computed_layer_by_layer(settings):
    found = operations_of(seqnet(**settings))
    assert "TfseqFrameBlock" not in found
    assert found.count("TfseqConvolveFrames") == 13


def test_a_block_whose_inside_is_read_elsewhere_is_computed_layer_by_layer():
    model = seqnet(blocks=2)
    inside = model.get_layer("block_1_convolution").output
    both = layers.Add()([model.get_layer("norm").output, inside])
    wider = keras.Model(model.input, both)
    assert operations_of(wider).count("TfseqFrameBlock") == 1
    check(wider, records=3, tolerance=1e-5)


def test_blocks_that_only_look_like_one_are_computed_layer_by_layer():
    model = seqnet(blocks=2, waveform_shape=(3, 256))
    configs = {layer.name: layer.get_config() for layer in model.layers}
    changes = [
        ("block_1_norm", {"axis": 1}),
        ("block_1_mean", {"data_format": "channels_first"}),
        ("block_1_squeeze", {"activity_regularizer": "l2"}),
        ("block_1_gate", {"activation": "tanh"}),
        ("block_1_mixing", {"use_bias": False}),
        ("block_1_convolution", {"padding": "causal"}),
    ]
    for name, change in changes:

        def rebuilt(layer, name=name, change=change):
            different = change if layer.name == name else {}
            return type(layer).from_config(configs[layer.name] | different)

        other = keras.models.clone_model(model, clone_function=rebuilt)
        assert operations_of(other).count("TfseqFrameBlock") == 1, name
        check(other, records=3, tolerance=1e-5)


def test_channels_are_dropped_as_by_keras():
    model = seqnet(dropout=0.4, blocks=2)
    generators = [layer.seed_generator for layer in model.layers if hasattr(layer, "rate")]
    states = [each.state.numpy() for each in generators]
    x = np.random.default_rng(8).normal(size=(9, *model.input.shape[1:])).astype(np.float32)
    upstream = np.ones((9, *model.output.shape[1:]), np.float32)
    computed = []
    for each in (LoweredToFrames(model), model):
        for generator, state in zip(generators, states, strict=True):
            generator.state.assign(state)
        computed.append(values_and_gradients(each, x, upstream))
    for one, other in zip(*computed, strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=1e-5)
    kept = LoweredToFrames(model)(x, training=False)
    assert np.abs(kept - computed[0][0]).max() > 1e-3


@pytest.mark.parametrize("channels", [16, 80])
def test_a_normalization_and_its_gradients_are_keras_s(channels):
    check(normalization(21, channels), records=18)


@pytest.mark.parametrize("sizes", [(1, 32, 16), (16, 3, 1), (1, 16, 1), (1, 30, 3)], ids=str)
def test_a_transposed_convolution_and_its_gradients_are_keras_s(sizes):
    filters, taps, stride = sizes
    keras.utils.set_random_seed(11)
    x = keras.Input((25, 32))
    settings = {"padding": "same", "bias_initializer": "normal"}
    y = layers.Conv1DTranspose(filters, taps, strides=stride, **settings)(x)
    check(keras.Model(x, y), records=3)


def test_a_normalization_over_time_is_not_taken_for_one_of_channels():
    check(normalization(16, 16, axis=1), records=3)


def test_five_taps_round_little_more_than_sums_of_products():
    random = np.random.default_rng(9)
    x = random.normal(size=(2, 250, 64)).astype(np.float32)
    model = convolution(250, 64, 64, 5, 4, bias_initializer="zeros")
    kernel = model.layers[1].kernel.numpy().astype(np.float64)
    padded = np.pad(x.astype(np.float64), [(0, 0), (8, 8), (0, 0)])
    exact = sum(padded[:, 4 * tap : 4 * tap + 250] @ kernel[tap] for tap in range(5))
    of_kernels, of_keras = (
        np.sqrt(np.mean((computed(x) - exact) ** 2) / np.mean(exact**2))
        for computed in (LoweredToFrames(model), model)
    )
    assert of_kernels < 1e-6
    assert of_kernels < 3 * of_keras


def test_silu_and_its_gradient_are_keras_s_wherever_they_are_not_level():
    x = np.concatenate([np.linspace(-110, 110, 4001), [0.0, -0.0, 1e-30]]).astype(np.float32)
    for size in (1, 15, 16, 17, len(x)):
        model = keras.Model(taken := keras.Input((size,)), layers.Activation("silu")(taken))
        some = x[None, :size]
        found = values_and_gradients(LoweredToFrames(model), some, np.ones_like(some))
        expected = values_and_gradients(model, some, np.ones_like(some))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_what_is_not_finite_stays_so():
    x = np.array([[np.nan, np.inf, -np.inf, 1.0]], np.float32)
    model = keras.Model(taken := keras.Input((4,)), layers.Activation("silu")(taken))
    found = LoweredToFrames(model)(x).numpy()
    assert not np.isfinite(found[0, :2]).any()
    wide = np.full((1, 6, 16), 1.0, np.float32)
    wide[0, 2, 3] = np.nan
    for known in (convolution(6, 16, 16, 3, 1), normalization(6, 16)):
        assert np.isnan(LoweredToFrames(known)(wide).numpy()[0, 2]).any()


def test_sizes_that_do_not_fit_are_refused():
    operations = native.library.kernels().operations
    x, settings = tf.ones((2, 5, 16)), {"taps": 3, "stride": 1, "dilation": 1}
    kernel, bias = tf.ones((3, 16, 16)), tf.ones(16)
    context = [tf.ones((16, 4)), tf.ones(4), tf.ones((4, 16)), bias]
    block = [bias, bias, kernel, bias, *context, tf.ones((1, 16, 16)), bias]
    no_taps = [*block[:2], kernel[:0], *block[3:]]
    wrong = [
        lambda: operations.tfseq_convolve_frames(x, tf.ones((3, 32, 16)), bias, **settings),
        lambda: operations.tfseq_convolve_frames(x, tf.ones((3, 16, 20)), tf.ones(20), **settings),
        lambda: operations.tfseq_convolve_frames(x[0], kernel, bias, **settings),
        lambda: operations.tfseq_convolve_frames(x, kernel, bias, **(settings | {"stride": 2})),
        lambda: operations.tfseq_convolve_frames_of_input(x, tf.ones((3, 16, 32)), **settings),
        lambda: operations.tfseq_convolve_frames_of_weights(x, x[:, 1:], **settings),
        lambda: operations.tfseq_convolve_frames_of_weights(x, x[0, 0, 0], **settings),
        lambda: operations.tfseq_normalize_frames(x, tf.ones(15), bias, epsilon=0.1),
        lambda: operations.tfseq_normalize_frames_backward(x, bias, x[1:], epsilon=0.1),
        lambda: operations.tfseq_silu_backward(x, x[1:]),
        lambda: operations.tfseq_frame_block(x, x[0], *block, dilation=1, epsilon=0.1),
        lambda: operations.tfseq_frame_block(x, x[0, :0], *block[::-1], dilation=1, epsilon=0.1),
        lambda: operations.tfseq_frame_block(x, x[0, :0], *block, dilation=0, epsilon=0.1),
        lambda: operations.tfseq_frame_block(x, x[0, :0], *no_taps, dilation=1, epsilon=0.1),
        lambda: operations.tfseq_frame_block_backward(
            x, x[0, :0], x, x[1:], *block, dilation=1, epsilon=0.1
        ),
    ]
    for each in wrong:
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected "):
            each()
