"""Own kernels train any model of convolutions as Keras does: outputs, gradients, statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from convolution_models import MODELS, image_model, scaled_below_zero
from keras import layers

from tfseq import models, native, training_step
from tfseq.models.lowering import Lowered
from tfseq.native import trained
from tfseq.native.recorded import NotKnownError
from tfseq.native.training import NativelyTrained


def output_and_gradients(compute, model, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = compute(x)
        # Not its mean: the gradients of that would all be alike.
        total = tf.reduce_sum(output * tf.cos(tf.range(output.shape[-1], dtype=tf.float32)))
    return [output, *tape.gradient(total, [x, *model.trainable_weights])]


class WithInputGradient(Lowered):
    def call(self, waveform, training=False):
        return self.compute(trained.layout(), waveform, training=training)


def by_own_kernels(model, x):
    assert native.available()
    lowered = WithInputGradient(model)

    def compute(x):
        return lowered(x, training=True)

    with tf.device("CPU:0"):
        return tf.function(output_and_gradients)(compute, model, tf.constant(x))


def check(model, x):
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


def test_any_model_of_convolutions_trains_the_same(model_and_input, request):
    if request.node.callspec.params["model_and_input"] == "more padding than image":
        with pytest.raises(NotKnownError):
            check(*model_and_input)
    else:
        check(*model_and_input)


def test_what_they_do_not_know_is_trained_without_them():
    model = MODELS["more padding than image"]()
    x = tf.ones((2, *model.input.shape[1:]))
    found = tf.function(NativelyTrained(model))(x, training=True)
    np.testing.assert_allclose(found, model(x), rtol=1e-5, atol=1e-5)


def test_a_gradient_of_the_input_is_left_out_where_nobody_asks():
    model = MODELS["no padding"]()
    x = tf.ones((2, *model.input.shape[1:]))
    native_model = NativelyTrained(model)

    def compute(x):
        return native_model(x, training=True)

    with tf.device("CPU:0"):
        run = tf.function(output_and_gradients)
        found, expected = (run(each, model, x) for each in (compute, model))
    assert found[1] is None
    for one, two in zip(found[2:], expected[2:], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", range(1, 10))
def test_any_number_of_channels_will_do(channels):
    convolution = layers.Conv2D(channels, 3, strides=(1, 2), padding="valid")
    model = image_model((4, 301, 10 - channels), layers.ZeroPadding2D(1), convolution)
    check(
        model, np.random.default_rng(channels).normal(size=(2, *model.input.shape[1:])).astype("f")
    )


def test_the_same_bits_come_out_each_time():
    model = MODELS["pooling of an odd image"]()
    x = np.random.default_rng(8).normal(size=(200, 5, 42, 2)).astype(np.float32)
    weights, runs = model.get_weights(), []
    for _ in range(5):
        model.set_weights(weights)
        runs.append([*by_own_kernels(model, x), *model.non_trainable_weights])
    for run in runs[1:]:
        for one, two in zip(runs[0], run, strict=True):
            np.testing.assert_array_equal(one, two)


def test_what_is_not_a_number_stays_so_in_the_pooling():
    model = image_model((4, 40, 1), layers.Conv2D(1, 1), layers.MaxPooling2D(2))
    x = np.ones((1, 4, 40, 1), np.float32)
    for place in ((0, 0), (1, 3), (2, 5), (3, 6)):
        x[0, *place] = np.nan
    expected = np.zeros((1, 2, 20, 1), bool)
    expected[0, (0, 0, 1, 1), (0, 1, 2, 3)] = True
    np.testing.assert_array_equal(np.isnan(by_own_kernels(model, x)[0]), expected)


def test_scales_below_zero_pool_what_becomes_largest():
    check(
        scaled_below_zero(), np.random.default_rng(5).normal(size=(3, 4, 40, 2)).astype(np.float32)
    )


def test_dropout_drops_what_keras_would():
    dropout = layers.SpatialDropout2D(0.5, seed=7)
    model = image_model((2, 40, 3), layers.Conv2D(3, 1), dropout)
    x = np.ones((20, 2, 40, 3), np.float32)
    state = dropout.seed_generator.state.numpy()
    expected = model(x, training=True)
    dropout.seed_generator.state.assign(state)
    np.testing.assert_allclose(by_own_kernels(model, x)[0], expected, rtol=1e-5)


def test_dropout_drops_each_channel_of_a_record_by_itself():
    model = image_model(
        (2, 40, 3),
        layers.Conv2D(3, 1),
        layers.SpatialDropout2D(0.5),
        layers.Conv2D(3, 1),
        layers.SpatialDropout2D(0.5),
    )
    for layer in model.layers[1::2]:
        layer.kernel.assign(np.eye(3)[None, None])
    found = np.array(by_own_kernels(model, np.ones((200, 2, 40, 3), np.float32))[0])
    np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1, :1], found.shape))
    assert set(np.unique(found)) == {0.0, 4.0}  # twice as much, twice
    assert 0.18 < np.mean(found == 4.0) < 0.32


def test_a_validation_reads_its_records_once():
    with training_step.make_strategy("one_device").scope():
        model = NativelyTrained(models.build("cnn"))
        model.compile("sgd", "mse", metrics=["mae"])
    x, y = np.ones((3, 4, 4000), np.float32), np.ones((3, 4000), np.float32)
    read = []

    def batches():
        for batch in range(2):
            read.append(batch)
            yield x, y

    signature = tf.TensorSpec((None, 4, 4000)), tf.TensorSpec((None, 4000))
    validation = tf.data.Dataset.from_generator(batches, output_signature=signature)
    validation = validation.apply(tf.data.experimental.assert_cardinality(2))
    history = model.fit(x, y, validation_data=validation, epochs=2, verbose=0).history
    assert read == [0, 1, 0, 1]
    assert {"loss", "mae", "val_loss", "val_mae"} <= set(history)


def test_a_step_is_taken_of_an_iterator_without_fit():
    model = NativelyTrained(MODELS["no padding"]())
    model.compile("rmsprop", "mse")
    x = np.ones((3, *model.plain.input.shape[1:]), np.float32)
    y = np.zeros((3, *model.plain.output.shape[1:]), np.float32)
    batches = iter(tf.data.Dataset.from_tensors((x, y)).repeat())
    model.make_train_function()
    losses = [float(model.train_function(batches)["loss"]) for _ in range(3)]
    assert losses[2] < losses[0]


def test_a_schedule_that_branches_is_followed():
    model = MODELS["no padding"]()
    x = np.random.default_rng(1).normal(size=(6, *model.input.shape[1:])).astype(np.float32)
    y = np.zeros((6, *model.output.shape[1:]), np.float32)
    weights, losses = model.get_weights(), []
    for trains in (model, NativelyTrained(model)):
        model.set_weights(weights)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, 10, warmup_target=0.1, warmup_steps=2
        )
        trains.compile(keras.optimizers.SGD(schedule), "mse", jit_compile=False)
        batches = tf.data.Dataset.from_tensors((x, y)).repeat(4)
        losses.append(trains.fit(batches, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)
