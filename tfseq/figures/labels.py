"""Figure 5: all labels of a split, and one of them."""

import warnings

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from tfseq.figures import samples, style
from tfseq.figures.content import Names, ThinnedLabels

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BAND_COLOURS = ("#bfdcec", "#6baed6")


@style.styled
def overview(
    thinned: ThinnedLabels,
    label: np.ndarray,
    names: Names,
    where: str,
    *,
    raw_lines: bool = False,
) -> Figure:
    """Draws all labels of a split (left), one label (middle) and its distribution (right).

    Thousands of lines over each other are one dark area: instead, bands hold the middle half and
    nine tenths of the labels at every step.

    Args:
        thinned: The labels of all records.
        label: (steps,) of one record.
        names: What the axes are called.
        where: Data set, split and record of the one.
        raw_lines: Draw every label as a line after all.
    """
    figure = style.new_figure(5, "All labels of the split, and one of them", where, 3.0)
    everything, one, distribution = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    (_draw_lines if raw_lines else _draw_bands)(everything, thinned)
    everything.set(title=_title(thinned), xlabel=names.time, ylabel=names.label)
    one.plot(np.arange(len(label)), label, color=style.LABEL_COLOUR)
    one.set(title="one label", xlabel=names.time)
    one.sharey(everything)
    samples.distribution(distribution, label, style.PALETTE[0])
    distribution.set(title="its distribution", xlabel=names.label, ylabel="density")
    for axes in (everything, one):
        axes.set_xlim(0, len(label) - 1)
    bands = everything.get_legend_handles_labels()[0]
    if bands:
        figure.legend(handles=bands, loc="outside lower left", ncols=3)
    return figure


def quantiles(thinned: ThinnedLabels) -> np.ndarray:
    """Returns the `QUANTILES` of the labels at each step kept, without values not finite.

    Returns:
        (quantiles, steps kept); NaN where no value is finite.
    """
    values = np.where(np.isfinite(thinned.values), thinned.values, np.nan)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        return np.nanquantile(values, QUANTILES, axis=0)


def _draw_bands(axes: Axes, thinned: ThinnedLabels) -> None:
    lowest, low, median, high, highest = quantiles(thinned)
    outer = {"color": _BAND_COLOURS[0], "label": "5 to 95 % of the labels"}
    inner = {"color": _BAND_COLOURS[1], "label": "25 to 75 %"}
    axes.fill_between(thinned.steps, lowest, highest, linewidth=0, **outer)
    axes.fill_between(thinned.steps, low, high, linewidth=0, **inner)
    axes.plot(thinned.steps, median, color=style.LABEL_COLOUR, label="median")


def _draw_lines(axes: Axes, thinned: ThinnedLabels) -> None:
    steps = np.broadcast_to(thinned.steps, thinned.values.shape)
    opacity = float(np.clip(20 / len(thinned.values), 0.02, 1))
    lines = LineCollection(
        np.stack([steps, thinned.values], axis=2),
        colors=style.PALETTE[0],
        linewidths=0.4,
        alpha=opacity,
        rasterized=True,  # millions of points are too many for SVG and PDF
    )
    axes.add_collection(lines)
    axes.autoscale_view()


def _title(thinned: ThinnedLabels) -> str:
    values, kept = thinned.values, len(thinned.values)
    count = f"{thinned.num_records}" if kept == thinned.num_records else f"{kept} evenly spaced"
    title = f"labels of {count} records"
    lost = int(values.size - np.isfinite(values).sum())
    return f"{title}\n{lost} values not finite: left out" if lost else title
