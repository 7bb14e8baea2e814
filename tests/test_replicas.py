"""Replicas draw masks of their own, from states that stay those of one device."""

import json

import pytest

SCRIPT = """
import json, sys

from tfseq import cli

cli.import_tensorflow()
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras
import numpy as np
from tfseq import configs, training_step

found = {}
for strategy_name in ("one_device", "mirrored"):
    keras.utils.set_random_seed(0)
    config = configs.get("cnn")
    config.strategy = strategy_name
    strategy = training_step.make_strategy(strategy_name)
    with strategy.scope():
        inputs = keras.Input((64,))
        model = keras.Model(inputs, keras.layers.Dropout(0.5, seed=1)(inputs))
        model.compile("sgd", "mse")
        fitted = training_step.to_fit(model, config, 1, strategy)
    generator = model.layers[1].seed_generator
    step = tf.function(lambda: fitted(tf.ones((1, 64)), training=True))
    masks, states = [], []
    for _ in range(2):
        given = strategy.experimental_local_results(strategy.run(step))
        masks.append([mask.numpy().tolist() for mask in given])
        state = strategy.experimental_local_results(generator.state.value)
        states.append([each.numpy().tolist() for each in state])
    found[strategy_name] = {"masks": masks, "states": states}
keras.utils.set_random_seed(0)
plain = keras.layers.Dropout(0.5, seed=1)
found["plain"] = [plain(tf.ones((1, 64)), training=True).numpy().tolist() for _ in range(2)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(python):
    """The masks of two steps and the states after them, on one device and on two."""
    return json.loads(python(SCRIPT).splitlines()[-1])


def test_one_device_draws_what_keras_draws(found):
    assert [mask for (mask,) in found["one_device"]["masks"]] == found["plain"]


def test_replicas_draw_other_masks_than_each_other_in_every_step(found):
    masks = [str(mask) for step in found["mirrored"]["masks"] for mask in step]
    assert len(set(masks)) == len(masks) == 4


def test_the_states_are_those_of_one_device_on_all_replicas(found):
    for (one,), replicas in zip(
        found["one_device"]["states"], found["mirrored"]["states"], strict=True
    ):
        assert replicas == [one, one]
