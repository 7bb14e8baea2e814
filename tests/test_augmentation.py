"""Augmentation changes what it is told to, and the same way when a run goes on."""

import numpy as np
import pytest
import tensorflow as tf

from tfseq.augmentation import Augmentation
from tfseq.errors import UserError
from tfseq.example_gen import Split, training_batches


def batch(records=6):
    random = np.random.default_rng(0)
    waveform = random.normal(size=(records, 4, 100)).astype(np.float32)
    return waveform, random.uniform(0, 4, (records, 100)).astype(np.float32)


def augmented(seed=(0, 0), **settings):
    waveform, label = Augmentation(**settings)(*map(tf.constant, batch()), tf.constant(seed))
    return waveform.numpy(), label.numpy()


def test_nothing_is_done_unless_it_is_asked_for():
    assert not Augmentation()
    assert Augmentation(gain=0.1)


def test_gain_multiplies_each_channel_of_each_record_by_its_own_factor():
    waveform, label = augmented(gain=0.3)
    factors = waveform / batch()[0]
    np.testing.assert_allclose(factors, factors[..., :1].repeat(100, axis=2), rtol=1e-4)
    assert len(np.unique(factors[..., 0].round(5))) == 24
    assert (factors > 0).all()
    np.testing.assert_array_equal(label, batch()[1])


def test_noise_is_no_stronger_than_it_is_told():
    waveform, label = augmented(noise=0.2)
    added = (waveform - batch()[0]).std(axis=2) / batch()[0].std(axis=2)
    assert added.min() > 0
    assert added.max() < 0.3
    np.testing.assert_array_equal(label, batch()[1])


def test_dropped_channels_are_zero_and_the_others_as_they_were():
    waveform, _ = augmented(drop_channel=0.4)
    kept = waveform.any(axis=2)
    assert 0 < kept.sum() < 24
    np.testing.assert_array_equal(waveform[kept], batch()[0][kept])


def test_waveform_and_label_are_shifted_together():
    shifts = set()
    for step in range(20):
        waveform, label = augmented(seed=(0, step), shift=9)
        (shift,) = (
            by
            for by in range(-9, 10)
            if np.array_equal(label[:, 9:-9], batch()[1][:, 9 + by : 91 + by])
        )
        np.testing.assert_array_equal(waveform[..., 9:-9], batch()[0][..., 9 + shift : 91 + shift])
        shifts.add(shift)
    assert min(shifts) < 0 < max(shifts)


def test_another_step_is_changed_in_another_way_and_the_same_one_in_the_same():
    every = {"gain": 0.3, "noise": 0.2, "drop_channel": 0.2, "shift": 5}
    np.testing.assert_array_equal(augmented(**every)[0], augmented(**every)[0])
    assert not np.array_equal(augmented(**every)[0], augmented(seed=(0, 1), **every)[0])


@pytest.mark.parametrize("cache", ["always", "never"])
def test_what_continues_has_the_records_of_what_was_not_stopped(cache, builder):
    def read(count, **start):
        batches = training_batches(
            Split(builder, "train"),
            16,
            seed=3,
            cache=cache,
            augmentation=Augmentation(gain=0.2, shift=50),
            **start,
        )
        return list(batches.take(count).as_numpy_iterator())

    whole, rest = read(8), read(2, first_epoch=1, first_step=2)
    for expected, found in zip(whole[6:], rest, strict=True):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gain": -1.0}, r"--config\.augmentation\.gain: expected 0 or more, got -1"),
        ({"noise": float("nan")}, r"--config\.augmentation\.noise: .*nan"),
        ({"drop_channel": 1.0}, r"--config\.augmentation\.drop_channel: expected less than 1"),
        ({"shift": -3}, r"--config\.augmentation\.shift: .*-3"),
    ],
)
def test_a_value_that_cannot_be_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        Augmentation(**settings)


def test_a_shift_beyond_the_record_is_refused():
    with pytest.raises(UserError, match=r"--config\.augmentation\.shift: .* 40 steps .* got 40"):
        Augmentation(shift=40).require_steps(40)
