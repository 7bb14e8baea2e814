"""What the figures of a data set show is what is in the arrays."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from pictures import LABEL, LABELS, NAMES, NOISE, OTHER, STEPS, THINNED, WAVEFORM, WHERE

from tfseq.figures import correlation, labels, samples, style
from tfseq.figures.content import Names, ThinnedLabels

WIDE = np.repeat(NOISE, 4, axis=0)
WIDE_NAMES = Names(tuple(f"channel {number}" for number in range(1, 17)))


def heights(axes):
    return np.array([patch.get_height() for patch in axes.patches])


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def shown(axes):
    """The numbers of a heat map."""
    (mesh,) = axes.collections
    return np.ma.filled(mesh.get_array(), np.nan)


def test_the_line_plot_has_every_channel_over_all_steps():
    figure = samples.line_plot(WAVEFORM, NAMES, WHERE)
    assert len(figure.axes) == 4
    for axes, channel, name in zip(figure.axes, WAVEFORM, NAMES.channels, strict=True):
        (line,) = axes.get_lines()
        np.testing.assert_array_equal(line.get_xdata(), np.arange(STEPS))
        np.testing.assert_array_equal(line.get_ydata(), channel)
        assert axes.get_ylabel() == name
    assert figure.axes[-1].get_xlabel() == "time (ms)"
    assert figure.get_supylabel() == "force (N)"
    assert WHERE in figure.get_suptitle()


def test_the_line_plot_says_what_is_wrong_with_a_channel():
    figure = samples.line_plot(OTHER, NAMES, WHERE)
    assert texts(figure) == ["constant 0.5", f"7 of {STEPS} steps not finite: left out"]


def test_of_many_channels_the_first_are_drawn_and_the_title_says_so():
    figure = samples.line_plot(WIDE, WIDE_NAMES, WHERE)
    assert len(figure.axes) == style.MOST_CHANNELS == 8
    assert "(the first 8 of 16)" in figure.get_suptitle()
    assert "all 16 channels" in str(
        samples.histogram(WIDE, WIDE_NAMES, WHERE).axes[0].get_legend_handles_labels()
    )


def test_the_histogram_counts_the_values_of_every_channel():
    (axes,) = samples.histogram(WAVEFORM, NAMES, WHERE).axes
    edges = samples.bin_edges(WAVEFORM.ravel(), 60)
    counts = heights(axes).reshape(4, -1)
    for found, channel in zip(counts, WAVEFORM, strict=True):
        np.testing.assert_array_equal(found, np.histogram(channel, edges)[0])
    assert counts.sum() == WAVEFORM.size


def test_the_histogram_leaves_out_what_is_not_finite_and_says_so():
    figure = samples.histogram(OTHER, NAMES, WHERE)
    assert heights(figure.axes[0]).sum() == OTHER.size - 7
    assert texts(figure) == [f"7 of {OTHER.size} values not finite: left out"]


def test_bins_of_a_converter_s_levels_hold_the_same_number_of_levels_each():
    levels = np.round(np.arange(-400, 401) * 0.00075, 4)
    counts = np.histogram(levels, samples.bin_edges(levels, 60))[0]
    assert len(counts) <= 60
    assert counts.sum() == len(levels)
    assert set(counts[:-1]) == {14}


def test_bins_of_other_values_are_numpy_s():
    edges = samples.bin_edges(WAVEFORM[0], 60)
    np.testing.assert_array_equal(edges, np.histogram_bin_edges(WAVEFORM[0], 60))


def test_the_distributions_have_density_1_and_follow_the_histogram_of_the_channel():
    figure = samples.distributions(WAVEFORM, NAMES, WHERE)
    for axes, channel in zip(figure.axes, WAVEFORM, strict=True):
        density, edges = np.histogram(channel, samples.bin_edges(channel, 60), density=True)
        np.testing.assert_allclose(heights(axes), density, rtol=1e-5)
        (curve,) = axes.get_lines()
        area = np.trapezoid(curve.get_ydata(), curve.get_xdata())
        assert 0.9 < area <= 1.01
        assert edges[0] <= curve.get_xdata().min() <= curve.get_xdata().max() <= edges[-1]


def test_a_constant_channel_has_no_distribution_and_the_picture_says_so():
    figure = samples.distributions(OTHER, NAMES, WHERE)
    assert not figure.axes[2].patches
    assert not figure.axes[2].get_lines()
    assert "constant 0.5" in texts(figure)


def test_the_pair_plot_has_the_same_steps_of_every_pair():
    figure = samples.pair_plot(WAVEFORM, LABEL, NAMES, WHERE)
    steps = samples.thinned_steps(STEPS)
    assert len(set(steps)) == 400
    rows = [*WAVEFORM, LABEL]
    pairs = [(row, column) for row in range(5) for column in range(row)]
    scatters = [axes for axes in figure.axes if axes.collections]
    for axes, (row, column) in zip(scatters, pairs, strict=True):
        points = axes.collections[0].get_offsets()
        np.testing.assert_array_equal(points[:, 0], rows[column][steps])
        np.testing.assert_array_equal(points[:, 1], rows[row][steps])
    diagonal = [axes for axes in figure.axes if axes.patches]
    assert [heights(axes).sum() for axes in diagonal] == [STEPS] * 5
    assert "400 of 600 steps" in figure.get_supxlabel()


def test_short_records_are_not_thinned():
    np.testing.assert_array_equal(samples.thinned_steps(30), np.arange(30))


def test_correlation_maps_hold_numpy_s_numbers_from_minus_1_to_1():
    figure = correlation.between_channels((WAVEFORM, WAVEFORM[::-1]), NAMES, ("a", "b"), "c")
    left, right, bar = figure.axes
    for axes, waveform, title in ((left, WAVEFORM, "a"), (right, WAVEFORM[::-1], "b")):
        expected = np.corrcoef(waveform)
        np.testing.assert_allclose(shown(axes), expected, atol=1e-6)
        assert axes.collections[0].get_clim() == (-1, 1)
        written = [float(text.get_text()) for text in axes.texts]
        np.testing.assert_allclose(written, expected.ravel(), atol=0.0051)
        assert axes.get_title() == title
    assert bar.get_ylim() == (-1, 1)


def test_the_correlation_with_the_label_is_numpy_s():
    axes = correlation.with_label(WAVEFORM, LABEL, NAMES, WHERE).axes[0]
    np.testing.assert_allclose(shown(axes), np.corrcoef([*WAVEFORM, LABEL]), atol=1e-6)
    assert [text.get_text() for text in axes.get_xticklabels()] == [*NAMES.channels, "label"]


def test_an_undefined_correlation_is_grey_and_values_not_finite_are_left_out_pair_by_pair():
    figure = correlation.between_channels((OTHER, OTHER), NAMES, ("a", "b"), "c")
    axes = figure.axes[0]
    numbers = shown(axes)
    assert np.isnan(numbers[2]).all()
    assert np.isnan(numbers[:, 2]).all()
    np.testing.assert_allclose(numbers[0, 3], np.corrcoef(OTHER[[0, 3], 7:])[0, 1], atol=1e-6)
    np.testing.assert_allclose(numbers[0, 1], -1)
    assert texts(figure).count("n/a") == 2 * 7
    assert to_hex(axes.get_facecolor()) == style.UNDEFINED_COLOUR
    assert axes.get_xlabel() == (
        f"three: constant 0.5\nfour: 7 of {STEPS} steps not finite: left out"
    )


def test_a_correlation_map_of_many_channels_has_colours_without_numbers():
    axes = correlation.with_label(WIDE, LABEL, WIDE_NAMES, WHERE).axes[0]
    assert shown(axes).shape == (17, 17)
    assert not axes.texts


def test_the_bands_are_numpy_s_quantiles():
    figure = labels.overview(THINNED, LABEL, NAMES, WHERE)
    everything, one, distribution = figure.axes
    expected = np.quantile(LABELS, labels.QUANTILES, axis=0)[:, ::2]
    np.testing.assert_allclose(everything.get_lines()[0].get_ydata(), expected[2], atol=1e-6)
    for band, low, high in zip(everything.collections, (0, 1), (4, 3), strict=True):
        vertices = band.get_paths()[0].vertices
        for step in (0, 50, 299):
            found = vertices[vertices[:, 0] == THINNED.steps[step], 1]
            np.testing.assert_allclose(found.min(), expected[low, step], atol=1e-6)
            np.testing.assert_allclose(found.max(), expected[high, step], atol=1e-6)
    np.testing.assert_array_equal(one.get_lines()[0].get_ydata(), LABEL)
    area = heights(distribution) @ [patch.get_width() for patch in distribution.patches]
    assert area == pytest.approx(1)


def test_raw_lines_are_the_labels():
    everything = labels.overview(THINNED, LABEL, NAMES, WHERE, raw_lines=True).axes[0]
    (lines,) = everything.collections
    assert isinstance(lines, LineCollection)
    found = np.array(lines.get_segments())
    np.testing.assert_array_equal(found[:, :, 1], THINNED.values)
    np.testing.assert_array_equal(found[0, :, 0], THINNED.steps)


def test_labels_that_are_not_finite_are_left_out_and_counted():
    values = THINNED.values.copy()
    values[5, 3], values[:, 9] = np.inf, np.nan
    thinned = ThinnedLabels(values, THINNED.steps, 3 * len(values))
    found = labels.quantiles(thinned)
    finite = np.delete(values[:, 3], 5)
    np.testing.assert_allclose(found[:, 3], np.quantile(finite, labels.QUANTILES), atol=1e-6)
    assert np.isnan(found[:, 9]).all()
    title = labels.overview(thinned, LABEL, NAMES, WHERE).axes[0].get_title()
    assert title == "labels of 300 evenly spaced records\n301 values not finite: left out"
