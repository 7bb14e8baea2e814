"""What the figures of a run show: losses, predictions, and errors as numpy computes them."""

import numpy as np
import pytest
from pictures import (
    BY_RECORD,
    BY_STEP,
    ERRORS,
    GROUPS,
    LABEL,
    LEVELS,
    LOSSES,
    NAMES,
    PREDICTIONS,
    SINGLE,
    VALIDATION,
    WAVEFORM,
)

from tfseq.errors import UserError
from tfseq.figures import run, training
from tfseq.figures.content import Errors


def by_label(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_the_loss_curves_have_every_epoch_and_both_levels():
    (axes,) = training.loss_curves(LOSSES, VALIDATION, LEVELS, "mse", "").axes
    lines = by_label(axes)
    np.testing.assert_array_equal(lines["training"].get_xdata(), np.arange(1, 7))
    np.testing.assert_array_equal(lines["training"].get_ydata(), LOSSES)
    np.testing.assert_array_equal(lines["validation"].get_ydata(), VALIDATION)
    assert lines["predict zero: 5.3"].get_ydata() == [5.3, 5.3]
    assert lines["predict the mean: 1.3"].get_ydata() == [1.3, 1.3]
    best = lines["best epoch: 5 (0.8)"]
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (5, 0.8)
    assert axes.get_yscale() == "linear"


def test_losses_that_fall_far_have_a_logarithmic_axis():
    (axes,) = training.loss_curves(LOSSES / [1, 1, 1, 9, 99, 99], VALIDATION, LEVELS, "", "").axes
    assert axes.get_yscale() == "log"


def test_predictions_stand_beside_the_true_label_below_the_waveform():
    figure = training.predictions(PREDICTIONS, NAMES, "")
    assert len(figure.axes) == 6
    for number, prediction in enumerate(PREDICTIONS):
        above, below = figure.axes[2 * number : 2 * number + 2]
        channels = [line.get_ydata() for line in above.get_lines()]
        np.testing.assert_array_equal(channels, WAVEFORM)
        lines = by_label(below)
        np.testing.assert_array_equal(lines["true label"].get_ydata(), LABEL)
        np.testing.assert_array_equal(lines["predicted label"].get_ydata(), prediction.predicted)
        title = f"{prediction.title}, mse {prediction.mse}: {prediction.record.title}"
        assert above.get_title() == title


def test_errors_are_drawn_by_step_and_by_group():
    by_step, by_group = training.errors(ERRORS, NAMES, "", 1.3).axes
    lines = by_label(by_step)
    np.testing.assert_array_equal(lines["each step"].get_ydata(), BY_STEP)
    assert lines["predict the mean"].get_ydata() == [1.3, 1.3]
    names = np.array(GROUPS)
    expected = sorted((BY_RECORD[names == name].mean(), name) for name in set(GROUPS))
    widths = [patch.get_width() for patch in by_group.patches]
    np.testing.assert_allclose(widths, [mean for mean, _ in expected])
    titles = [text.get_text() for text in by_group.get_yticklabels()]
    assert titles == [f"{name} ({GROUPS.count(name)})" for _, name in expected]
    points = by_group.collections[0].get_offsets()
    np.testing.assert_array_equal(points[:, 0], BY_RECORD)
    assert [titles[int(place)].split()[0] for place in points[:, 1]] == list(GROUPS)


def test_where_every_record_is_its_own_group_the_records_distribution_is_drawn():
    by_group = training.errors(SINGLE, NAMES, "").axes[1]
    counts = [patch.get_height() for patch in by_group.patches]
    np.testing.assert_array_equal(counts, np.histogram(BY_RECORD, 30)[0])
    assert by_group.get_title() == "every record is its own group"
    assert by_group.get_lines()[0].get_xdata() == [np.median(BY_RECORD)] * 2


def test_many_groups_are_drawn_as_a_distribution():
    groups = tuple(str(number % 40) for number in range(60))
    by_group = training.errors(Errors(BY_STEP, BY_RECORD, groups), NAMES, "").axes[1]
    assert by_group.get_title() == "40 groups"
    assert sum(patch.get_height() for patch in by_group.patches) == 40


def test_the_running_mean_is_that_of_the_values_in_reach():
    found = training.running_mean(BY_STEP)
    width = len(BY_STEP) // 50
    for step in (0, 100, len(BY_STEP) - 1):
        low = max(0, step - width // 2)
        expected = BY_STEP[low : step - width // 2 + width].mean()
        assert found[step] == pytest.approx(expected)
    np.testing.assert_array_equal(training.running_mean(BY_STEP[:10]), BY_STEP[:10])


def batches(labels, groups, size):
    for start in range(0, len(labels), size):
        yield {
            "waveform": np.zeros((len(labels[start : start + size]), 2, labels.shape[1])),
            "label": labels[start : start + size],
            "group": groups[start : start + size],
        }


def test_errors_are_measured_over_batches_as_over_the_whole():
    labels = np.random.default_rng(1).normal(size=(10, 30)).astype(np.float32)
    groups = np.array([b"a", b"b"] * 5)
    found = run.measure(lambda x: np.full((len(x), 30), 0.5), batches(labels, groups, 4), 30)
    squared = np.square(0.5 - labels.astype(np.float64))
    np.testing.assert_allclose(found.by_step, squared.mean(axis=0))
    np.testing.assert_allclose(found.by_record, squared.mean(axis=1))
    assert found.groups == ("a", "b") * 5
    assert training.group_means(found) == pytest.approx(
        {"a": squared[::2].mean(), "b": squared[1::2].mean()}
    )


def test_an_error_that_is_not_finite_is_refused():
    labels = np.zeros((3, 30), np.float32)
    labels[1, 4] = np.nan
    with pytest.raises(UserError, match="record 1 of the split is not finite"):
        run.measure(lambda x: np.zeros((len(x), 30)), batches(labels, np.array([b"a"] * 3), 2), 30)
