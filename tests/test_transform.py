"""What a network is shown of a waveform."""

import keras
import numpy as np
import pytest

from tfseq import models, transform
from tfseq.errors import UserError

SMALL = {"filters": 8, "blocks": 1, "waveform_shape": (3, 400)}


def waveforms(records=5):
    random = np.random.default_rng(0)
    scale = np.array([[1e-3], [1.0], [50.0]])
    return (random.normal(size=(records, 3, 400)) * scale + 7 * scale).astype(np.float32)


def test_a_constant_channel_is_0_when_it_is_standardized():
    # Of each of these the squares' mean less the mean's square is below 0, by rounding.
    for constant, records in ((333.33334, 7), (-0.7, 32)):
        x = np.full((records, 1, 4000), constant, np.float32)
        for parts in ([x], [x[:3], x[3:]]):
            scaling, of_label = transform.fit_scaling([(part, part[:, 0]) for part in parts])
            assert scaling == ((float(x[0, 0, 0]),), (0.0,))
            assert of_label == (float(x[0, 0, 0]), 0.0)
        waveform = keras.Input((1, 4000))
        model = keras.Model(waveform, transform.features(waveform, scaling))
        np.testing.assert_array_equal(model(x), 0)


def test_labels_are_learned_alike_in_any_unit():
    x = waveforms(records=12)
    label = np.tanh(x[:, 0] * 1e3 - 7)
    losses = []
    for unit, offset in ((1.0, 0.0), (25.0, 300.0)):
        keras.utils.set_random_seed(0)
        labels = (unit * label + offset).astype(np.float32)
        _, scaling = transform.fit_scaling([(x[:5], labels[:5]), (x[5:], labels[5:])])
        assert scaling == pytest.approx((labels.mean(), labels.var()), rel=1e-4)
        model = models.build("seqnet", label_scaling=scaling, **SMALL)
        model.compile("adam", "mse")
        history = model.fit(x, labels, epochs=3, batch_size=4, verbose=0).history
        losses.append(np.array(history["loss"]) / unit**2)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)
    assert losses[0][-1] < losses[0][0]


def test_labels_that_do_not_vary_have_no_deviation_to_scale_by():
    x, labels = waveforms(), np.full((5, 400), 7.5, np.float32)
    _, scaling = transform.fit_scaling([(x, labels)])
    model = models.build("seqnet", label_scaling=scaling, **SMALL)
    assert np.isfinite(model(x)).all()
    assert scaling == (7.5, 0.0)


def views(x, *names):
    return keras.ops.convert_to_numpy(transform.Views(names)(x))


def test_views_are_laid_one_after_the_other_with_all_channels():
    x = waveforms()
    shown = views(x, "waveform", "log_gain")
    assert shown.shape == (5, 6, 400)
    np.testing.assert_array_equal(shown[:, :3], x)


def test_normalized_has_mean_0_and_variance_1_in_every_record_and_channel():
    shown = views(waveforms(), "normalized")
    np.testing.assert_allclose(shown.mean(axis=2), 0, atol=1e-4)
    np.testing.assert_allclose(shown.std(axis=2), 1, rtol=1e-3)


@pytest.mark.parametrize("view", ["normalized", "rectified", "log_envelope"])
def test_the_gain_of_a_record_falls_away(view):
    x = waveforms()
    gains = np.array([0.5, 1, 2, 3, 0.1], np.float32)[:, None, None]
    np.testing.assert_allclose(views(x * gains, view), views(x, view), atol=2e-3)


def test_the_gain_is_what_log_gain_says():
    x = waveforms()
    expected = np.log(x.std(axis=2, dtype=np.float64))
    np.testing.assert_allclose(views(x, "log_gain")[:, :, 17], expected, rtol=0, atol=1e-4)


def test_rectified_is_the_magnitude_of_normalized():
    x = waveforms()
    np.testing.assert_array_equal(views(x, "rectified"), np.abs(views(x, "normalized")))


def test_the_log_envelope_follows_the_strength_of_a_burst():
    x = np.random.default_rng(0).normal(size=(1, 1, 400)).astype(np.float32)
    x[..., 200:] *= 10
    envelope = views(x, "log_envelope")[0, 0]
    difference = envelope[220:380].mean() - envelope[20:180].mean()
    assert difference == pytest.approx(2 * np.log(10), abs=0.3)


@pytest.mark.parametrize("view", transform.VIEWS)
def test_silence_is_shown_as_finite_numbers(view):
    assert np.isfinite(views(np.zeros((2, 3, 400), np.float32), view)).all()


def test_a_saved_model_keeps_its_views(tmp_path):
    model = models.build("seqnet", views=transform.VIEWS, **SMALL)
    expected = model(waveforms())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(waveforms()), expected)


def test_a_view_that_is_not_there_is_refused_by_naming_those_that_are():
    with pytest.raises(UserError, match=r"--config\.transform\.views: .*'raw'; there are waveform"):
        models.build("seqnet", views=("raw",), **SMALL)
