"""Own kernels label records as Keras does, whatever the layers, or do not know the model."""

import subprocess
import sys
from concurrent import futures

import keras
import numpy as np
import pytest
from convolution_models import image_model, scaled_below_zero
from keras import layers

from tfseq import models, native
from tfseq.native.inference import NativeInference
from tfseq.native.recorded import NotKnownError

# What holds a layer that only Keras computes, or more padding than the kernels have room for.
NOT_KNOWN = {
    "no padding",  # a ReLU layer
    "same padding with strides",
    "more padding than image",
    "as wide as whole vectors",  # a kernel of 63 steps
    "transposed",  # a sigmoid
    "an activation and then a pooling",  # an elu
    "pooling of an odd image with padding",
    "pooling without normalization",  # a tanh
    "other poolings",
    "layers that it does not know",
    "normalization without a scale",
    "sequences",  # a normalization without a center
    "pooling of an odd sequence with padding",
    "sequences with many channels",
    "branches",  # one changes what the other reads
}


def check(model, x):
    found, expected = NativeInference(model)(x), np.asarray(model(x))
    rounding = 1e-6 * max(1, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=rounding)
    assert found.dtype == np.float32


def test_any_model_that_they_know_is_computed_the_same(model_and_input, request):
    assert native.available()
    model, x = model_and_input
    if request.node.callspec.params["model_and_input"] in NOT_KNOWN:
        with pytest.raises(NotKnownError):
            NativeInference(model)
    else:
        check(model, x)


def residual():
    inputs = keras.Input((51, 1))
    x = layers.Conv1D(2, 3, strides=2)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.LeakyReLU()(x)
    x = layers.ZeroPadding1D((1, 2))(x)
    x = layers.Conv1D(1, 4)(x)
    x = layers.Cropping1D((1, 2))(x)
    x = layers.Activation("relu")(x)
    y = layers.Cropping1D((2, 1))(layers.MaxPooling1D(2)(inputs))
    y = layers.BatchNormalization()(y)
    return keras.Model(inputs, layers.Add()([x, y, x]))


KNOWN = {
    "residual": residual,
    "scales below zero": scaled_below_zero,
    "dense layers between images": lambda: image_model(
        (2, 30, 1),
        layers.Conv2D(3, 3, padding="same"),
        layers.LeakyReLU(0.3),
        layers.Flatten(),
        layers.Dense(7),
        layers.Dense(33),
        layers.Reshape((11, 3)),
        layers.Conv1D(2, 2),
    ),
    "labels in their unit": lambda: image_model(
        (2, 30, 1),
        layers.Conv2D(3, 3, padding="same"),
        layers.Flatten(),
        layers.Rescaling(25.0, offset=300.0),
    ),
    "activations and normalizations in any order": lambda: image_model(
        (2, 30, 1),
        layers.Activation("relu"),
        layers.Conv2D(3, 3, padding="same"),
        layers.BatchNormalization(),
        layers.LeakyReLU(0.3),
        layers.BatchNormalization(),
        layers.LeakyReLU(2.0),
        layers.SpatialDropout2D(0.5),
        layers.MaxPooling2D(2),
        layers.BatchNormalization(),
        layers.Activation("linear"),
        layers.Conv2DTranspose(2, 3, strides=2),
        layers.BatchNormalization(),
        layers.Activation("relu"),
    ),
    "normalizations before the sequence begins": lambda: image_model(
        (3, 20),
        layers.Normalization(axis=1, mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0]),
        layers.Permute((2, 1)),
        layers.Conv1D(2, 3),
        layers.Identity(),
        layers.Dropout(0.5),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_the_layouts_of_training_do_not_hold_is_computed_the_same(name):
    keras.utils.set_random_seed(2)
    model = KNOWN[name]()
    for weight in model.trainable_weights + model.non_trainable_weights:
        if "seed" not in weight.path:
            weight.assign(np.random.default_rng(2).uniform(0.5, 1.5, weight.shape))
    x = np.random.default_rng(4).normal(size=(5, *model.input.shape[1:])).astype(np.float32)
    check(model, x)


@pytest.mark.parametrize("layout", ["report", "time"])
@pytest.mark.parametrize("name", ["cnn", "conv_ae", "resnet"])
def test_any_layout_of_the_label_is_computed_the_same(name, layout):
    model = models.build(name, waveform_shape=(4, 400), layout=layout)
    check(model, np.random.default_rng(6).normal(size=(9, 4, 400)).astype(np.float32))


@pytest.mark.parametrize("settings", [{"activation": "tanh"}, {"views": ("rectified",)}])
def test_what_they_do_not_know_is_said(settings):
    with pytest.raises(NotKnownError):
        NativeInference(models.build("cnn", waveform_shape=(4, 400), **settings))


def test_what_overflows_in_a_dense_layer_is_no_answer():
    model = models.build("cnn", waveform_shape=(4, 400), classifier=True)
    dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)][-1]
    infer = NativeInference(model)
    x = np.random.default_rng(6).normal(size=(5, 4, 400)).astype(np.float32)
    assert np.isfinite(infer(x)).all()
    dense.kernel.assign(np.full(dense.kernel.shape, 1e38))
    assert NativeInference(model)(x) is None


FORKED = """
import os, signal
import numpy as np
from tfseq import cli
cli.import_tensorflow()
from tfseq import models
from tfseq.native.inference import NativeInference

infer = NativeInference(models.build("cnn", waveform_shape=(4, 400)))
x = np.random.default_rng(6).normal(size=(9, 4, 400)).astype(np.float32)
expected = infer(x)
child = os.fork()
if not child:
    signal.alarm(20)
    os._exit(int(not np.array_equal(infer(x), expected)))
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), np.array_equal(infer(x), expected))
"""


def test_a_process_that_is_forked_labels_too():
    command = [sys.executable, "-c", FORKED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "0 True\n"


@pytest.mark.parametrize(
    "last",
    [
        [layers.Dense(5)],  # of images
        [layers.Flatten(), layers.Dense(5, activation="relu")],
        [layers.Flatten(), layers.Dense(5, use_bias=False)],
    ],
)
def test_dense_layers_of_another_kind_are_not_known(last):
    with pytest.raises(NotKnownError):
        NativeInference(image_model((2, 30, 1), layers.Conv2D(3, 2), *last))


def test_models_of_sixteen_bits_are_not_known():
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    model = image_model((2, 30, 1), layers.Conv2D(3, 3, padding="same", dtype=policy))
    with pytest.raises(NotKnownError):
        NativeInference(model)


def huge(where):
    x = np.ones((130, 4, 400), np.float32)
    x[129, 3, 399] = where
    return x


# The last of them becomes infinite on the way.
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_not_finite_has_no_label(value):
    model = models.build("cnn", waveform_shape=(4, 400))
    for weight in model.layers[2].weights:
        weight.assign(np.full(weight.shape, 2.0))
    infer = NativeInference(model)
    assert infer(huge(value)) is None
    assert infer(huge(1.0)).shape == (130, 400)


def test_calls_at_the_same_time_do_not_meet():
    model = models.build("conv_ae", waveform_shape=(4, 400))
    infer = NativeInference(model)
    batches = np.random.default_rng(7).normal(size=(12, 3, 4, 400)).astype(np.float32)
    expected = [infer(batch) for batch in batches]
    with futures.ThreadPoolExecutor(6) as threads:
        for found, wanted in zip(threads.map(infer, batches), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_each_record_is_labelled_as_it_is_alone():
    infer = NativeInference(models.build("resnet", waveform_shape=(4, 400)))
    x = np.random.default_rng(8).normal(size=(7, 4, 400)).astype(np.float32)
    np.testing.assert_array_equal(infer(x), [infer(x[i : i + 1])[0] for i in range(7)])
    assert infer(x[:0]).shape == (0, 400)
