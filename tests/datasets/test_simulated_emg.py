"""The simulated records have the statistics that are published, and are always the same."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfseq import datasets
from tfseq.datasets.simulated_emg import simulator
from tfseq.errors import UserError

STEPS = 4000


def stacked(pairs):
    waveforms, labels = zip(*pairs, strict=True)
    return np.stack(waveforms), np.stack(labels)


@pytest.fixture(scope="module")
def simulated():
    """600 records, in float64."""
    return [array.astype(np.float64) for array in stacked(simulator.records(0, 0, 600, STEPS))]


def correlation(a, b):
    """Of every row of a with the same row of b."""
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    return (a * b).sum(axis=1) / np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))


def test_the_envelopes_say_the_same(simulated):
    waveform, _ = simulated
    correlations = correlation(waveform[:, 0], waveform[:, 1])
    assert correlations.mean() == pytest.approx(0.993, abs=0.003)
    assert correlations.min() > 0.97


def test_the_envelopes_go_with_the_label(simulated):
    waveform, label = simulated
    for channel in (0, 1):
        correlations = correlation(waveform[:, channel], label)
        assert correlations.mean() == pytest.approx(0.956, abs=0.01)
        assert correlations.min() > 0.8


def test_the_labels_have_the_published_moments_and_range(simulated):
    _, label = simulated
    assert label.mean() == pytest.approx(2.00, abs=0.05)
    assert label.var() == pytest.approx(1.29, abs=0.06)
    assert np.square(label).mean() == pytest.approx(5.29, abs=0.2)
    assert label.min() >= 0
    assert label.max() <= 4


def test_a_line_through_the_channels_has_the_published_error(simulated):
    waveform, label = simulated
    columns = np.moveaxis(waveform, 1, -1)
    design = np.concatenate([columns, np.ones((*label.shape, 1))], axis=-1)
    fitted, held_out = design[:400].reshape(-1, 5), design[400:]
    weights = np.linalg.solve(fitted.T @ fitted, fitted.T @ label[:400].ravel())
    error = np.square(held_out @ weights - label[400:]).mean()
    assert error == pytest.approx(0.164, abs=0.02)


def test_the_envelopes_lie_within_0_and_a_quarter(simulated):
    envelopes = simulated[0][:, :2]
    assert envelopes.min() >= 0
    assert envelopes.max() <= 0.25
    assert envelopes.mean() == pytest.approx(0.02 + 0.2 * 0.875 * 0.5 * 0.985, abs=0.005)


def test_the_raw_signals_of_six_records_in_ten_are_shifted(simulated):
    raw = simulated[0][:, 2:]
    means = raw.mean(axis=(1, 2))
    shifted = means > 0.15
    np.testing.assert_allclose(means[shifted], 0.3, atol=0.01)
    np.testing.assert_allclose(means[~shifted], 0.0, atol=0.01)
    # Four standard errors of a share of 0.6 in 600.
    assert shifted.mean() == pytest.approx(0.6, abs=4 * np.sqrt(0.24 / 600))
    for channel in (0, 1):
        with_offset, without = raw[shifted, channel], raw[~shifted, channel]
        assert (with_offset.min(), with_offset.max()) == pytest.approx((0, 0.6), abs=1e-6)
        assert (without.min(), without.max()) == pytest.approx((-0.4, 0.4), abs=1e-6)


def test_the_muscles_take_turns(simulated):
    waveform, label = simulated
    spread = np.abs(waveform[:, 2:] - waveform[:, 2:].mean(axis=2, keepdims=True))
    assert correlation(spread[:, 0], label).mean() > 0.3
    assert correlation(spread[:, 1], label).mean() < -0.3


def test_excitation_leads_the_movement_by_about_40_steps(simulated):
    waveform, label = simulated
    lags = range(0, 100, 10)
    fits = [
        correlation(waveform[:, 0, : STEPS - 100], label[:, lag : STEPS - 100 + lag]).mean()
        for lag in lags
    ]
    assert lags[int(np.argmax(fits))] in (30, 40, 50)


def test_the_second_envelope_is_2_steps_behind_the_first(simulated):
    envelopes = simulated[0][:, :2] - simulated[0][:, :2].mean(axis=2, keepdims=True)
    window = slice(20, STEPS - 20)
    products = [
        (envelopes[:, 0, window] * envelopes[:, 1, 20 + lag : STEPS - 20 + lag]).mean()
        for lag in range(-8, 13)
    ]
    # The artefact that both share has no lag: it draws the best one towards 0.
    parabola = np.polyfit(np.arange(-8, 13), products, 2)
    assert -parabola[1] / (2 * parabola[0]) == pytest.approx(2, abs=1)


def test_the_creep_has_the_variance_that_is_published():
    assert simulator.CREEP_VARIANCE == 0.01
    paths = [simulator._creep(np.random.default_rng(seed), STEPS) for seed in range(24)]
    squares = np.square(np.concatenate(paths)).mean(axis=1)
    error = squares.std() / np.sqrt(len(squares))
    assert error < 2e-4
    assert squares.mean() == pytest.approx(simulator.CREEP_VARIANCE, abs=4 * error)


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_records_do_not_depend_on_the_number_of_workers(workers):
    waveform, label = stacked(simulator.records(3, 1, 170, 60, workers=workers))
    chunks = [simulator.simulate_chunk(3, 1, chunk, 60) for chunk in range(4)]
    expected = [np.concatenate(arrays)[:170] for arrays in zip(*chunks, strict=True)]
    np.testing.assert_array_equal(waveform, expected[0])
    np.testing.assert_array_equal(label, expected[1])


@pytest.mark.parametrize("count", [1, 49, 50, 51, 100, 130])
def test_the_first_records_are_the_same_whatever_the_number_asked_for(count):
    every = stacked(simulator.records(0, 0, 170, 60))
    first = stacked(simulator.records(0, 0, count, 60))
    assert len(first[1]) == count
    for few, many in zip(first, every, strict=True):
        np.testing.assert_array_equal(few, many[:count])


def test_another_seed_split_or_place_is_another_record():
    runs = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    labels = [label for run in runs for _, label in simulator.records(*run, 100, 60)]
    assert len({label.tobytes() for label in labels}) == 500


@pytest.mark.parametrize(
    ("index", "waveform", "label"),
    [
        (
            0,
            [
                [0.0535632, 0.0549995, 0.2562302, 0.4537412],
                [0.0499000, 0.0511546, 0.2877487, 0.2573824],
                [0.0753597, 0.0716452, 0.2954412, 0.3433631],
            ],
            [0.7816855, 0.7598824, 1.9092766],
        ),
        (
            50,
            [
                [0.0759191, 0.0776511, 0.2716082, 0.3109153],
                [0.1495584, 0.1467149, 0.3672169, 0.2722720],
                [0.2154468, 0.2100677, 0.4205919, 0.3206706],
            ],
            [1.6364708, 2.7934570, 3.4840584],
        ),
    ],
)
def test_records_are_those_of_every_other_machine(index, waveform, label):
    *_, record = simulator.records(0, 0, index + 1, STEPS)
    assert record[0].dtype == record[1].dtype == np.float32
    np.testing.assert_allclose(record[0][:, [0, 1000, 3999]].T, waveform, rtol=0, atol=1e-5)
    np.testing.assert_allclose(record[1][[0, 1000, 3999]], label, rtol=0, atol=1e-5)


def test_the_data_set_holds_the_simulated_records_under_their_numbers(builder):
    sizes = {split: info.num_examples for split, info in builder.info.splits.items()}
    assert sizes == {"train": 50, "validation": 20, "test": 20}
    for stream, split in enumerate(("train", "validation", "test")):
        stored = {
            record["record_id"].decode(): record
            for record in tfds.as_numpy(builder.as_dataset(split=split))
        }
        assert len(stored) == sizes[split]
        for index, (waveform, label) in enumerate(
            simulator.records(0, stream, sizes[split], STEPS)
        ):
            record = stored[f"{split}/{index}"]
            np.testing.assert_array_equal(record["waveform"], waveform)
            np.testing.assert_array_equal(record["label"], label)
            assert record["group"] == record["record_id"]


def test_settings_choose_the_sizes_and_the_seed(tmp_path):
    sizes = {"train_records": 3, "validation_records": 2, "test_records": 1}
    chosen = datasets.load("simulated_emg", data_dir=tmp_path, seed=5, **sizes)
    counts = {split: info.num_examples for split, info in chosen.info.splits.items()}
    assert counts == {"train": 3, "validation": 2, "test": 1}
    (record,) = tfds.as_numpy(chosen.as_dataset(split="test"))
    ((_, label),) = simulator.records(5, 2, 1, STEPS)
    np.testing.assert_array_equal(record["label"], label)
    other = datasets.load("simulated_emg", data_dir=tmp_path, seed=6, **sizes)
    assert other.data_dir != chosen.data_dir
    (record,) = tfds.as_numpy(other.as_dataset(split="test"))
    assert not np.array_equal(record["label"], label)


def test_the_default_is_2000_500_and_500_records_of_seed_0():
    config = datasets.builder_class("simulated_emg").CONFIG_CLASS.from_settings(None)
    assert config.name == "default"
    assert [getattr(config, name) for name in config.settings()] == [2000, 500, 500, 0]


@pytest.mark.parametrize(
    "settings",
    [{"train_records": 0}, {"test_records": -1}, {"seed": -1}, {"validation_records": 1.5}],
)
def test_settings_that_cannot_be_are_refused_by_their_flag(settings, tmp_path):
    (key,) = settings
    with pytest.raises(UserError, match=rf"--config\.dataset\.{key}: expected"):
        datasets.load("simulated_emg", data_dir=tmp_path, **settings)
    assert not list(tmp_path.iterdir())
