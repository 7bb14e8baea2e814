"""Pictures of studies, in the look of `tfseq.figures`."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from tfseq.baselines import TITLES
from tfseq.figures import style
from tfseq.tuning import verdicts
from tfseq.tuning.sampling import SampleSizes


@style.styled
def comparison(
    title: str, metric: str, by_arm: Mapping[str, np.ndarray], levels: Mapping[str, float]
) -> Figure:
    """Draws each arm's losses: a point a seed, the mean and its confidence interval.

    Args:
        title: Two lines: the study; data set and width.
        metric: What the losses are.
        by_arm: By label (seeds,); the first is the reference. Infinity is a trial that diverged.
        levels: What trivial predictors reach, by `tfseq.baselines`' names; empty draws none.
    """
    figure = style.empty_figure(title, 1.25 + 0.28 * len(by_arm))
    axes = figure.subplots()
    known = [value for each in by_arm.values() for value in each if math.isfinite(value)]
    edge = max([*known, *levels.values()], default=1.0)
    for place, values in enumerate(by_arm.values()):
        _draw_arm(axes, place, values, style.PALETTE[0 if place == 0 else 1], edge)
    for name, level in levels.items():
        text = f"{TITLES[name]}: {level:.3g}"
        axes.axvline(level, label=text, **style.LEVEL_LINES[name])
    axes.set_yticks(range(len(by_arm)), list(by_arm))
    axes.set_ylim(len(by_arm) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    shown = [*known, *levels.values()]
    if shown and style.is_for_logarithms(shown):
        axes.set_xscale("log")
    axes.set_xlabel(metric)
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside lower left", ncols=3)
    return figure


def _draw_arm(axes: Axes, place: int, values: np.ndarray, colour: str, edge: float) -> None:
    finite = values[np.isfinite(values)]
    points = {"s": 14, "alpha": 0.6, "linewidths": 0, "zorder": 3}
    axes.scatter(finite, np.full(len(finite), place + 0.18), color=colour, **points)
    if len(finite):
        found = verdicts.interval(finite)
        if len(finite) > 1:
            axes.plot([found.low, found.high], [place] * 2, color=colour, linewidth=1.6)
        axes.plot(found.mean, place, "|", color=colour, markersize=11, markeredgewidth=1.6)
    if count := len(values) - len(finite):
        label = "diverged"
        axes.scatter(edge, place, marker="x", color=style.LABEL_COLOUR, s=30, label=label, zorder=4)
        text = f" {count} of {len(values)}"
        axes.annotate(
            text,
            (edge, place),
            fontsize=7,
            va="center",
            ha="left",
            xytext=(4, 0),
            textcoords="offset points",
        )


@style.styled
def sample_size(number: int | None, title: str, found: SampleSizes, loss: str) -> Figure:
    """Draws training and validation loss by the size of the test set (figures 8 to 11).

    Args:
        number: The report's number of the figure, if it has one.
        title: Two lines: what is shown; model and data set.
        found: The losses.
        loss: Name of the loss.
    """
    seeds = f"mean and standard deviation of {found.validation.shape[1]} seeds"
    heading = f"Fig. {number}. {title}" if number else title
    figure = style.empty_figure(f"{heading}; {seeds}", 3.4)
    axes = figure.subplots()
    text = f"sampling error alone (95 %), bootstrap over {found.large} records"
    axes.fill_between(
        found.sizes,
        found.low,
        found.high,
        color=style.PALETTE[1],
        alpha=0.18,
        linewidth=0,
        label=text,
    )
    for values, colour, name in (
        (found.training, style.PALETTE[0], "training"),
        (found.validation, style.PALETTE[1], "validation"),
    ):
        usable = np.where(np.isfinite(values), values, np.nan)
        _draw_sizes(axes, found.sizes, usable, colour, name)
    axes.set_xscale("log")
    axes.set_xticks(found.sizes, _thinned(found.sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    axes.set(xlabel="records in the test set", ylabel=loss)
    figure.legend(loc="outside lower left", ncols=3)
    return figure


def _draw_sizes(axes: Axes, sizes: np.ndarray, values: np.ndarray, colour: str, name: str) -> None:
    mean = np.nanmean(values, axis=1)
    error = np.nanstd(values, axis=1, ddof=1) if values.shape[1] > 1 else None
    axes.plot(
        np.repeat(sizes, values.shape[1]),
        values.ravel(),
        ".",
        color=colour,
        alpha=0.35,
        markersize=4,
        markeredgewidth=0,
    )
    axes.errorbar(
        sizes,
        mean,
        error,
        color=colour,
        marker="o",
        markersize=3,
        capsize=2.5,
        linewidth=1,
        label=name,
    )


def _thinned(sizes: Sequence[int]) -> list[str]:
    """Returns the sizes as labels of a logarithmic axis, without those that would touch."""
    labels, last = [], 0
    for size in sizes:
        close = last and math.log(size / last) < 0.04 * math.log(sizes[-1] / sizes[0])
        labels.append("" if close else str(size))
        last = last if close else size
    return labels
