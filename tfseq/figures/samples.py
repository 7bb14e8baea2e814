"""Figures 1, 2, 4 and 6: what one record looks like."""

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfseq.figures import style
from tfseq.figures.content import Names

_BINS = 60
_PAIR_STEPS = 400
_PAIR_CHANNELS = 5


@style.styled
def line_plot(waveform: np.ndarray, names: Names, where: str) -> Figure:
    """Draws every channel of a record over all of its steps, one below the other.

    Args:
        waveform: (channels, steps), in the unit of `names.waveform`.
        names: What the axes are called.
        where: Data set, split and record.
    """
    shown = waveform[: style.MOST_CHANNELS]
    title = f"All channels of a record{_first(shown, waveform)}"
    figure = style.new_figure(1, title, where, 0.8 + 0.95 * len(shown))
    axes = figure.subplots(len(shown), sharex=True, squeeze=False)[:, 0]
    time = np.arange(waveform.shape[1])
    for each, channel, name, colour in zip(
        axes, shown, names.channels, style.PALETTE, strict=False
    ):
        each.plot(time, channel, color=colour, linewidth=0.5)
        each.set_ylabel(name)
        each.margins(x=0)
        _note_defect(each, channel)
    axes[-1].set_xlabel(names.time)
    figure.supylabel(names.waveform, fontsize=8)
    return figure


@style.styled
def histogram(waveform: np.ndarray, names: Names, where: str) -> Figure:
    """Draws the histogram of all values of a record; each channel's part has its own colour.

    Args:
        waveform: (channels, steps), in the unit of `names.waveform`.
        names: What the axes are called.
        where: Data set, split and record.
    """
    figure = style.new_figure(2, "Histogram of a record, all channels", where, 2.9)
    axes = figure.subplots()
    values = [style.finite(channel) for channel in waveform]
    titles = list(names.channels)
    if len(values) > style.MOST_CHANNELS:
        values, titles = [np.concatenate(values)], [f"all {len(values)} channels"]
    edges = bin_edges(np.concatenate(values), _BINS)
    colours = style.PALETTE[: len(values)]
    axes.hist(values, edges, stacked=True, color=colours, label=titles)
    axes.set_xlabel(names.waveform)
    axes.set_ylabel("number of values")
    axes.legend()
    lost = waveform.size - sum(map(len, values))
    if lost:
        style.note(axes, f"{lost} of {waveform.size} values not finite: left out")
    return figure


@style.styled
def distributions(waveform: np.ndarray, names: Names, where: str) -> Figure:
    """Draws the distribution of each channel of a record: a histogram and its density.

    Args:
        waveform: (channels, steps), in the unit of `names.waveform`.
        names: What the axes are called.
        where: Data set, split and record.
    """
    shown = waveform[: style.MOST_CHANNELS]
    rows = -(-len(shown) // 2)
    title = f"Distribution of each channel of a record{_first(shown, waveform)}"
    figure = style.new_figure(4, title, where, 0.8 + 1.6 * rows)
    axes = figure.subplots(rows, min(len(shown), 2), squeeze=False).ravel()
    for each, channel, name, colour in zip(
        axes, shown, names.channels, style.PALETTE, strict=False
    ):
        distribution(each, channel, colour)
        each.set_title(name)
        each.xaxis.set_major_locator(MaxNLocator(6))
    for each in axes[len(shown) :]:
        each.remove()
    figure.supxlabel(names.waveform, fontsize=8)
    figure.supylabel("density", fontsize=8)
    return figure


def distribution(axes: Axes, values: np.ndarray, colour: str) -> None:
    """Draws a histogram of density 1 with its kernel density estimate, where there is one."""
    usable = style.finite(values)
    if usable.size and np.ptp(usable) > 0:
        seaborn.histplot(
            x=usable,
            bins=bin_edges(usable, _BINS),
            stat="density",
            kde=True,
            ax=axes,
            color=colour,
            linewidth=0,
        )
    else:
        axes.set(xticks=[], yticks=[])
    axes.set(xlabel="", ylabel="")
    _note_defect(axes, values)


@style.styled
def pair_plot(waveform: np.ndarray, label: np.ndarray, names: Names, where: str) -> Figure:
    """Draws the channels and the label of a record against each other.

    So that single points can be seen, 400 steps are drawn, chosen at random: evenly spaced ones
    could fall in step with a periodic signal. The histograms hold all steps.

    Args:
        waveform: (channels, steps), in the unit of `names.waveform`.
        label: (steps,), in the unit of `names.label`.
        names: What the axes are called.
        where: Data set, split and record.
    """
    shown = waveform[:_PAIR_CHANNELS]
    rows = [*shown, label]
    titles = [*names.channels[: len(shown)], "label"]
    steps = thinned_steps(len(label))
    title = f"Channels and label of a record against each other{_first(shown, waveform)}"
    figure = style.new_figure(6, title, where, 0.8 + 1.0 * len(rows))
    grid = figure.subplots(len(rows), len(rows), sharex="col", squeeze=False)
    for row, column in np.ndindex(grid.shape):
        axes = grid[row, column]
        if column > row:
            axes.remove()
        elif column == row:
            _diagonal(axes, rows[row])
        else:
            points = rows[column][steps], rows[row][steps]
            axes.scatter(*points, s=2, color=style.PALETTE[0], alpha=0.5, linewidths=0)
            if column > 0:
                axes.sharey(grid[row, 0])
                axes.tick_params(labelleft=False)
        if column == 0 and row > 0:
            axes.set_ylabel(titles[row])
        if row == len(rows) - 1:
            axes.set_xlabel(titles[column])
    figure.align_ylabels(grid[:, 0])
    shares = f"{len(steps)} of {len(label)} steps, drawn at random"
    figure.supxlabel(f"{names.waveform}; {names.label}; {shares}", fontsize=8)
    return figure


def bin_edges(values: np.ndarray, most: int) -> np.ndarray:
    """Returns edges of at most so many equal bins over some values.

    A converter's levels and bins of another width would beat: empty bins where there is no gap.
    Bins of such values hold the same number of levels each.

    Args:
        values: Finite numbers.
        most: How many bins there may be.
    """
    gaps = np.diff(np.unique(values.astype(np.float64)))
    if not gaps.size or gaps.min() < gaps.sum() / most / 20:
        return np.histogram_bin_edges(values, most)
    # Levels may be rounded, some may not occur: count them, then divide the range.
    num_levels = round(gaps.sum() / gaps[gaps < 1.5 * gaps.min()].mean()) + 1
    level = gaps.sum() / (num_levels - 1)
    each = -(-num_levels // most)
    num_bins = -(-num_levels // each)
    return values.min() - level / 2 + level * each * np.arange(num_bins + 1)


def thinned_steps(num_steps: int) -> np.ndarray:
    """Returns the indices of the steps that the pair plot draws, always the same."""
    random = np.random.default_rng(0)
    return np.sort(random.choice(num_steps, min(num_steps, _PAIR_STEPS), replace=False))


def _diagonal(axes: Axes, values: np.ndarray) -> None:
    usable = style.finite(values)
    axes.hist(usable, bin_edges(usable, 30), color=style.PALETTE[0])
    axes.set_yticks([])
    _note_defect(axes, values)


def _note_defect(axes: Axes, values: np.ndarray) -> None:
    text = style.defect(values)
    if text:
        style.note(axes, text)


def _first(shown: np.ndarray, waveform: np.ndarray) -> str:
    return "" if len(shown) == len(waveform) else f" (the first {len(shown)} of {len(waveform)})"
