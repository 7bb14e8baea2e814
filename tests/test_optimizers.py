"""Optimizers follow their schedule, clip and decay as they are told."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import optimizers


def rates(steps=100, **settings):
    optimizer = optimizers.make("sgd", 0.5, 0.0, steps=steps, **settings)
    weight = keras.Variable(np.zeros(1, np.float32))
    moved = []
    for _ in range(steps):
        before = float(weight.value.numpy()[0])
        optimizer.apply([np.ones(1, np.float32)], [weight])
        moved.append(before - float(weight.value.numpy()[0]))
    return np.array(moved)


def stepped(name, gradient, weights, **settings):
    optimizer = optimizers.make(name, 0.1, 0.0, **settings)
    weight = keras.Variable(np.array(weights, np.float32))
    optimizer.apply([np.array(gradient, np.float32)], [weight])
    return weight.value.numpy()


def test_a_rate_is_constant_unless_a_schedule_is_named():
    np.testing.assert_allclose(rates(20), 0.5, rtol=1e-5)


def test_a_cosine_falls_from_the_rate_to_0_over_the_run():
    found = rates(schedule="cosine")
    expected = 0.25 * (1 + np.cos(np.pi * np.arange(100) / 100))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_a_warmup_rises_from_0_in_its_part_of_the_run():
    found = rates(schedule="cosine", warmup=0.2)
    np.testing.assert_allclose(found[:20], 0.5 * np.arange(20) / 20, rtol=0, atol=1e-4)
    assert found.argmax() == 20
    assert (np.diff(found[20:]) <= 1e-6).all()
    assert found[-1] < 0.01


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adamw"])
def test_weights_decay_where_they_are_told(name):
    decayed = stepped(name, [0.0], [2.0], weight_decay=0.5)
    np.testing.assert_allclose(decayed, [2.0 - 0.1 * 0.5 * 2.0], rtol=1e-5)


def test_adamw_decays_by_pytorch_s_constant_unless_it_is_told():
    np.testing.assert_allclose(stepped("adamw", [0.0], [2.0]), [2.0 - 0.1 * 0.01 * 2], rtol=1e-6)
    np.testing.assert_array_equal(stepped("adam", [0.0], [2.0]), [2.0])


def test_a_long_gradient_is_shortened_to_its_direction():
    moved = stepped("sgd", [3.0, 4.0], [0.0, 0.0], clip_norm=1.0)
    np.testing.assert_allclose(moved, [-0.06, -0.08], rtol=1e-5)
    short = stepped("sgd", [0.3, 0.4], [0.0, 0.0], clip_norm=1.0)
    np.testing.assert_allclose(short, [-0.03, -0.04], rtol=1e-5)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_step_computes_its_rate_once(name):
    """Eagerly and in a graph; what is changed is as it would be."""
    computed, found = [], []

    class Schedule(keras.optimizers.schedules.CosineDecay):
        def __call__(self, step):
            computed.append(step)
            return super().__call__(step)

    for once in (False, True):
        optimizer = optimizers.make(name, 0.1, 0.0, weight_decay=0.5, clip_norm=1.0)
        optimizer.learning_rate = Schedule(0.0, 4, warmup_target=0.1, warmup_steps=2)
        weights = [keras.Variable(np.full(3, value, np.float32)) for value in (1.0, 2.0, 3.0)]
        optimizer.build(weights)
        if once:
            optimizers.compute_rate_once(optimizer)
        gradients = [np.ones(3, np.float32)] * 3
        optimizer.apply(gradients, weights)
        step = tf.function(functools.partial(optimizer.apply, gradients, weights))
        computed.clear()
        for _ in range(4):
            step()
        assert len(computed) == (1 if once else 4)
        assert float(optimizer.learning_rate) == pytest.approx(0.1 * np.cos(np.pi * 3 / 8) ** 2)
        found.append([weight.numpy() for weight in weights])
    np.testing.assert_array_equal(*found)
