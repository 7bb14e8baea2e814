"""A lowered model computes what the model computes, with the same weights, or more exactly."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import configs, fused_update, models, native, optimizers
from tfseq.models import lowering
from tfseq.native.inference import NativeInference
from tfseq.native.training import NativelyTrained

CONVOLUTIONAL = ("cnn", "conv_ae", "resnet")


@pytest.fixture(params=CONVOLUTIONAL)
def name(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["step by step", "compiled"])
def compiled(request):
    return request.param


def lowered(model, *, compiled):
    optimizer, loss = keras.optimizers.SGD(), "mse"
    model = lowering.Lowered(model)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=compiled)
    return model


def output(model, x, *, compiled, training=False):
    def run(waveform):
        return model(waveform, training=training)

    return tf.function(run, jit_compile=compiled)(tf.constant(x)).numpy()


def test_inference_gives_the_output_of_pytorch(name, compiled, golden, golden_model):
    arrays = golden(name)
    found = output(lowering.Lowered(golden_model(name)), arrays["x"], compiled=compiled)
    np.testing.assert_allclose(found, arrays["output"], rtol=0, atol=1e-5)


def test_compiled_inference_gives_the_output_of_pytorch(name, compiled, golden, golden_model):
    arrays = golden(name)
    infer = tf.function(lowering.XlaInference(golden_model(name)), jit_compile=compiled)
    np.testing.assert_allclose(infer(arrays["x"]), arrays["output"], rtol=0, atol=1e-5)


def test_inference_by_own_kernels_gives_the_output_of_pytorch(name, golden, golden_model):
    arrays = golden(name)
    found = NativeInference(golden_model(name))(arrays["x"])
    np.testing.assert_allclose(found, arrays["output"], rtol=0, atol=1e-5)


def test_xla_computes_each_strip_once():
    infer = tf.function(lowering.XlaInference(models.build("cnn")), jit_compile=True)
    program = infer.experimental_get_compiler_ir(tf.zeros((2, 4, 4000)))(stage="optimized_hlo")
    # Of the input, the two rows behind the first pooling, that behind the second, the output.
    assert len(re.findall(r"= f32\[2,\d+,\d+\]\S* divide\(", program)) == 1 + 2 + 1 + 1


def check_five_training_steps(name, model, arrays, *, compiled, fused=False):
    optimizer = optimizers.make(**configs.get(name).optimizer)
    if fused:
        optimizer.build(model.trainable_variables)
        fused_update.fuse(optimizer)
    model.compile(optimizer=optimizer, loss="mse", jit_compile=compiled)
    losses = []
    for _ in arrays["losses"]:
        model.reset_metrics()
        losses.append(float(model.train_on_batch(arrays["x"], arrays["y"])))
    # The first RMSprop steps are signs of gradients: they amplify rounding.
    rtol = {"conv_ae": 1e-2}.get(name, 1e-4)
    np.testing.assert_allclose(losses, arrays["losses"], rtol=rtol)


def test_five_training_steps_have_the_losses_of_pytorch(name, compiled, golden, golden_model):
    model = lowering.Lowered(golden_model(name))
    check_five_training_steps(name, model, golden(name), compiled=compiled)


@pytest.mark.parametrize("fused", [False, True])
def test_five_steps_by_own_kernels_have_the_losses_of_pytorch(name, fused, golden, golden_model):
    assert native.available()
    with tf.device("CPU:0"):
        model = NativelyTrained(golden_model(name))
        check_five_training_steps(name, model, golden(name), compiled=False, fused=fused)


def gradients(model, x, y):
    with tf.GradientTape() as tape:
        predicted = model(x, training=True)
        loss = tf.reduce_mean((predicted - tf.cast(y, predicted.dtype)) ** 2)
    return predicted.numpy(), [
        each.numpy() for each in tape.gradient(loss, model.trainable_weights)
    ]


def in_float64(name, weights):
    keras.config.set_dtype_policy("float64")
    try:
        model = models.build(name, **SETTINGS[name])
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(weights)
    return model


SETTINGS = {"cnn": {"dropout": 0}, "conv_ae": {"dropout": 0}, "resnet": {}}


def gradients_by_own_kernels(model, x, y):
    assert native.available()
    with tf.device("CPU:0"):
        return gradients(NativelyTrained(model), x, y)


WAYS = {
    "blocks": lambda model, x, y: gradients(lowering.Lowered(model), x, y),
    "own kernels": gradients_by_own_kernels,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("silent", [0, 3000], ids=["noise", "a signal that falls silent"])
def test_gradients_and_moving_statistics_are_those_of_float64(name, silent, way):
    random = np.random.default_rng(0)
    x = random.normal(size=(5, 4, 4000)).astype(np.float32)
    # What is pooled is equal there: the gradient is that of the first.
    x[:, :, :silent] = 0.5
    y = random.uniform(0, 4, (5, 4000)).astype(np.float32)
    keras.utils.set_random_seed(1)
    model = models.build(name, **SETTINGS[name])
    reference = in_float64(name, model.get_weights())
    found, slopes = WAYS[way](model, x, y)
    expected, expected_slopes = gradients(reference, x, y)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
    # Those of biases before a batch normalization are zero but for rounding.
    rounding = 1e-6 * max(np.abs(wanted).max() for wanted in expected_slopes)
    for slope, wanted in zip(slopes, expected_slopes, strict=True):
        atol = 1e-3 * np.abs(wanted).max() + rounding
        np.testing.assert_allclose(slope, wanted, rtol=0, atol=atol)
    for moving, wanted in zip(
        model.non_trainable_weights, reference.non_trainable_weights, strict=True
    ):
        np.testing.assert_allclose(moving, wanted, rtol=1e-5, atol=1e-6)


def test_training_it_trains_the_model(name):
    keras.utils.set_random_seed(2)
    random = np.random.default_rng(2)
    x = random.normal(size=(4, 4, 4000)).astype(np.float32)
    model = models.build(name)
    before = [np.array(weight) for weight in model.trainable_weights]
    twin = lowered(model, compiled=False)
    twin.train_on_batch(x, np.ones((4, 4000), np.float32))
    after = [np.array(weight) for weight in model.trainable_weights]
    assert any(not np.array_equal(*pair) for pair in zip(before, after, strict=True))
    np.testing.assert_allclose(
        model(x, training=False), output(twin, x, compiled=False), rtol=0, atol=1e-5
    )


def test_a_batch_of_one_record_and_one_of_none():
    twin = lowering.Lowered(models.build("cnn"))
    for records in (1, 0):
        assert twin(np.zeros((records, 4, 4000), np.float32)).shape == (records, 4000)


def test_it_pays_where_there_are_convolutions():
    assert [lowering.pays(models.build(name)) for name in CONVOLUTIONAL] == [True] * 3
    assert not lowering.pays(models.build("mlp", hidden_units=(3,), dropout=0))
