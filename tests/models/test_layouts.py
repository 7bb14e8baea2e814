"""In the layout "time" a step of the label is computed from the waveform near that step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import models
from tfseq.models import lowering

STEPS = 400
# GELU: every value passes on something, so that what matters is seen to matter.
SETTINGS = {"activation": "gelu", "batch_norm": False, "waveform_shape": (4, STEPS)}


@pytest.fixture(params=["cnn", "conv_ae", "resnet"])
def name(request):
    return request.param


def waveforms(records=16):
    random = np.random.default_rng(0)
    return random.normal(size=(records, 4, STEPS)).astype(np.float32)


def label(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def seen_by(model, step):
    """Returns the steps of the waveform that a step of the label has a gradient with respect to."""
    x = tf.constant(waveforms())
    with tf.GradientTape() as tape:
        tape.watch(x)
        chosen = model(x, training=False)[:, step]
    return np.flatnonzero(np.any(tape.gradient(chosen, x) != 0, axis=(0, 1)))


def twins(name):
    keras.utils.set_random_seed(0)
    report, time = (models.build(name, layout=each, **SETTINGS) for each in ("report", "time"))
    time.set_weights(report.get_weights())
    return report, time


@pytest.mark.parametrize("name", ["cnn", "resnet"])
@pytest.mark.parametrize("step", [37, 200, 310])
def test_in_the_layout_time_a_step_sees_its_own_time(name, step):
    _, time = twins(name)
    seen = seen_by(time, step)
    assert seen.min() >= step - 20
    assert seen.max() <= step + 20
    assert step in seen


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_in_the_report_s_layout_a_step_sees_another_time(name):
    report, _ = twins(name)
    step = 310
    seen = seen_by(report, step)
    assert seen.min() >= 4 * (step % 100) - 20
    assert seen.max() <= 4 * (step % 100) + 20


@pytest.mark.parametrize("name", ["cnn", "conv_ae"])
def test_the_layouts_give_the_same_values_in_another_order(name):
    report, time = twins(name)
    by_channel = label(report, waveforms()).reshape(-1, 4, STEPS // 4)
    by_step = label(time, waveforms()).reshape(-1, STEPS // 4, 4)
    np.testing.assert_array_equal(by_channel.transpose(0, 2, 1), by_step)


def test_lowered_it_computes_the_same(name):
    _, time = twins(name)
    x = waveforms()
    np.testing.assert_allclose(label(lowering.Lowered(time), x), label(time, x), atol=1e-5)
