"""A step that is traced once is the step that Keras would take."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import configs, models, training_step, transform
from tfseq.augmentation import Augmentation
from tfseq.example_gen import Split, training_batches
from tfseq.native.training import NativelyTrained
from tfseq.traced_once import AsItIs

SMALL = {
    "mlp": {"hidden_units": (8, 8, 8), "dropout": (0.0, 0.0, 0.0)},
    "seqnet": {"filters": 8, "blocks": 2},
}


def counted(wrapper, model):
    """Returns a wrapper that counts how often its step is traced."""

    class Counted(wrapper):
        traced = 0

        def train_step(self, data):
            self.traced += 1
            return super().train_step(data)

    return Counted(model)


@pytest.mark.parametrize("name", ["cnn", "seqnet"])
def test_a_step_is_traced_once_whatever_the_data_set(name, builder):
    records = Split(builder, "train")
    wrapper = NativelyTrained if name == "cnn" else AsItIs
    with training_step.make_strategy("one_device").scope():
        plain = models.build(name, waveform_shape=records.waveform_shape, **SMALL.get(name, {}))
        model = counted(wrapper, plain)
        model.compile("sgd", "mse", metrics=["mae"])
    for settings in ({"cache": "always"}, {"augmentation": Augmentation(noise=0.1)}, {}):
        batches = training_batches(records, 4, seed=0, **settings)
        model.fit(batches, steps_per_epoch=2, shuffle=False, verbose=0)
    assert model.traced == 1


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.skipif(bool(tf.config.list_logical_devices("GPU")), reason="for a processor alone")
def test_it_trains_and_measures_as_keras_does(name, policy):
    config = configs.get(name)
    config.precision = policy
    config.model.update(SMALL[name])
    config.transform.standardize = config.transform.standardize_label = False
    random = np.random.default_rng(3)
    x = random.normal(size=(10, 4, 80)).astype(np.float32)
    y = random.normal(size=(10, 80)).astype(np.float32)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    found = []
    for traced_once in (True, False):
        keras.utils.set_random_seed(1)
        with training_step.precision(policy), tf.device("CPU:0"):
            model = fitted = training_step.new_model(config, (4, 80), steps_per_epoch=3)
            if traced_once:
                fitted = training_step.to_fit(
                    model, config, 10, training_step.OneProcessorStrategy("/CPU:0")
                )
                assert type(fitted) is AsItIs
            else:
                model.compile(model.optimizer, config.loss, metrics=["mae"], jit_compile=False)
            # Without `steps_per_epoch`: the data say where an epoch ends.
            history = fitted.fit(data, validation_data=data, epochs=3, verbose=0).history
        found.append([*history.values(), *map(np.ravel, model.get_weights())])
    # The update in one operation an array rounds in other places.
    tolerance = 1e-4 if policy == "float32" else 2e-3
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_the_input_of_mixed_precision_is_not_rounded(policy):
    x = np.random.default_rng(2).normal(size=(3, 4, 80)).astype(np.float32) / 1000
    with training_step.precision(policy):
        model = models.build(
            "seqnet", waveform_shape=(4, 80), views=transform.VIEWS, **SMALL["seqnet"]
        )
        found = AsItIs(model)(x)
    np.testing.assert_array_equal(found, model(x))


def test_data_that_end_early_end_the_training_as_in_keras():
    x, y = np.ones((8, 4, 80), np.float32), np.ones((8, 80), np.float32)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    plain = models.build("mlp", waveform_shape=(4, 80), **SMALL["mlp"])
    for model in (AsItIs(plain), NativelyTrained(models.build("cnn", waveform_shape=(4, 80)))):
        model.compile("sgd", "mse", jit_compile=False)
        steps = []
        count = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs, steps=steps: steps.append(batch)
        )
        with pytest.warns(UserWarning, match="ran out of data"):
            model.fit(data, steps_per_epoch=3, verbose=0, callbacks=[count])
        assert steps == [0, 1]


def test_a_single_batch_is_trained_with_too():
    model = AsItIs(models.build("mlp", waveform_shape=(4, 80), **SMALL["mlp"]))
    model.compile("sgd", "mse", jit_compile=False)
    x, y = np.ones((8, 4, 80), np.float32), np.ones((8, 80), np.float32)
    losses = [float(model.train_on_batch(x, y)) for _ in range(5)]
    assert losses[-1] < losses[0]
