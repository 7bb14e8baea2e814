"""The baselines are what plain numpy gives in float64."""

import numpy as np
import pytest

from tfseq import baselines

STEPS = 50


def example(records=23, channels=4, seed=0):
    """Channels that go with each other and with the label, not centred, in float32."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=(records, 1, STEPS))
    waveform = 3.0 + shared + 0.1 * random.normal(size=(records, channels, STEPS))
    label = 2.0 + shared[:, 0] + random.normal(size=(records, STEPS)) + np.linspace(-1, 1, STEPS)
    return waveform.astype(np.float32), label.astype(np.float32)


def batches(waveform, label, sizes=(10, 10, 3)):
    edges = np.cumsum(sizes)[:-1]
    return zip(np.split(waveform, edges), np.split(label, edges), strict=True)


def least_squares(waveform, label):
    """The least-squares line through the channels of the same step, and what it predicts."""
    columns = np.moveaxis(waveform.astype(np.float64), 1, -1).reshape(-1, waveform.shape[1])
    design = np.column_stack([columns, np.ones(len(columns))])
    weights = np.linalg.lstsq(design, label.reshape(-1).astype(np.float64), rcond=None)[0]
    return (design @ weights).reshape(label.shape)


def predictions(fitted, waveform):
    shape = (len(waveform), STEPS)
    return {name: np.broadcast_to(predict(waveform), shape) for name, predict in fitted.items()}


@pytest.mark.parametrize("sizes", [(23,), (10, 10, 3), (1,) * 23])
def test_the_baselines_are_those_of_numpy_whatever_the_batches(sizes):
    waveform, label = example()
    fitted = predictions(baselines.fit(batches(waveform, label, sizes)), waveform)
    exact = label.astype(np.float64)
    assert set(fitted) == {"zero", "mean", "step_mean", "linear"}
    assert not fitted["zero"].any()
    np.testing.assert_allclose(fitted["mean"], exact.mean(), rtol=0, atol=1e-9)
    expected = np.broadcast_to(exact.mean(axis=0), label.shape)
    np.testing.assert_allclose(fitted["step_mean"], expected, rtol=0, atol=1e-9)
    expected = least_squares(waveform, label)
    np.testing.assert_allclose(fitted["linear"], expected, rtol=0, atol=1e-9)


def test_predictions_are_float64_and_those_of_records_that_were_not_seen():
    waveform, label = example()
    other, _ = example(records=5, seed=1)
    fitted = baselines.fit(batches(waveform, label))
    design = np.moveaxis(waveform.astype(np.float64), 1, -1).reshape(-1, 4)
    weights = np.linalg.lstsq(
        np.column_stack([design, np.ones(len(design))]), label.reshape(-1), rcond=None
    )[0]
    expected = np.einsum("c,rcs->rs", weights[:-1], other.astype(np.float64)) + weights[-1]
    assert fitted["linear"](other).dtype == np.float64
    np.testing.assert_allclose(fitted["linear"](other), expected, rtol=0, atol=1e-9)


def test_channels_that_are_copies_or_constant_change_nothing():
    waveform, label = example(channels=2)
    copies = np.concatenate([waveform, waveform, 2 * waveform[:, :1]], axis=1)
    constant = np.concatenate([copies, np.zeros_like(waveform), np.ones_like(waveform)], axis=1)
    expected = least_squares(waveform, label)
    for channels in (copies, constant):
        linear = baselines.fit(batches(channels, label))["linear"](channels)
        np.testing.assert_allclose(linear, expected, rtol=0, atol=1e-9)


def test_labels_that_follow_a_channel_exactly_are_predicted_exactly():
    waveform, _ = example()
    label = 2 * waveform[:, 1] - waveform[:, 3] + 0.5
    linear = baselines.fit(batches(waveform, label))["linear"](waveform)
    np.testing.assert_allclose(linear, label, rtol=0, atol=1e-6)


def test_sums_of_many_values_do_not_lose_what_float32_would():
    waveform = np.full((400, 1, 1000), 1000, np.float32)
    waveform[::2] += 0.25
    label = waveform[:, 0] - 999
    fitted = baselines.fit([(waveform, label)])
    assert fitted["mean"](waveform) == pytest.approx(1.125, abs=1e-9)
    np.testing.assert_allclose(fitted["linear"](waveform), label, rtol=0, atol=1e-6)
