"""Figures 3 and 7: how strongly channels and label go together."""

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfseq.figures import style
from tfseq.figures.content import Names

_MOST_NUMBERS = 12


def matrix(rows: np.ndarray) -> np.ndarray:
    """Returns Pearson's correlation of every row with every other.

    Values that are not finite are left out, pair by pair.

    Args:
        rows: (rows, steps).

    Returns:
        (rows, rows) float64; NaN where it is undefined: a row is constant.
    """
    values = np.where(np.isfinite(rows), rows, np.nan).astype(np.float64)
    correlation = pd.DataFrame(values.T).corr().to_numpy(copy=True)
    usable = [style.finite(row) for row in rows]
    undefined = [not row.size or np.ptp(row) == 0 for row in usable]
    correlation[undefined] = np.nan
    correlation[:, undefined] = np.nan
    return correlation


@style.styled
def between_channels(
    waveforms: tuple[np.ndarray, np.ndarray],
    names: Names,
    titles: tuple[str, str],
    where: str,
) -> Figure:
    """Draws the correlation between the channels of two records side by side.

    Args:
        waveforms: Two of (channels, steps).
        names: What the channels are called.
        titles: Which records they are.
        where: Data set and split.
    """
    title = "Correlation between the channels of two records"
    figure = style.new_figure(3, title, where, 3.4)
    axes = figure.subplots(1, 2)
    for each, waveform, record in zip(axes, waveforms, titles, strict=True):
        _heat_map(each, waveform, names.channels)
        each.set_title(record)
        each.set_aspect("equal")
    _colour_bar(figure, list(axes))
    return figure


@style.styled
def with_label(waveform: np.ndarray, label: np.ndarray, names: Names, where: str) -> Figure:
    """Draws the correlation between the channels and the label of a record.

    Args:
        waveform: (channels, steps).
        label: (steps,).
        names: What the channels are called.
        where: Data set, split and record.
    """
    title = "Correlation between the channels and the label of a record"
    figure = style.new_figure(7, title, where, 3.4)
    axes = figure.subplots()
    _heat_map(axes, np.vstack([waveform, label]), (*names.channels, "label"))
    _colour_bar(figure, [axes])
    return figure


def _heat_map(axes: Axes, rows: np.ndarray, titles: tuple[str, ...]) -> None:
    correlation = matrix(rows)
    few = len(rows) <= _MOST_NUMBERS
    seaborn.heatmap(
        correlation,
        vmin=-1,
        vmax=1,
        cmap="RdBu_r",
        # Adding 0 turns -0.00 into 0.00.
        annot=np.round(correlation, 2) + 0.0 if few else False,
        fmt=".2f",
        annot_kws={"fontsize": 7},
        linewidths=0.5 if few else 0,
        cbar=False,
        xticklabels=titles if few else "auto",
        yticklabels=titles if few else "auto",
        ax=axes,
    )
    axes.grid(visible=False)
    axes.set_facecolor(style.UNDEFINED_COLOUR)
    axes.tick_params(axis="x", rotation=30 if max(map(len, titles)) > 5 else 0, length=0)
    axes.tick_params(axis="y", rotation=0, length=0)
    if few:
        for row, column in np.argwhere(np.isnan(correlation)):
            axes.text(column + 0.5, row + 0.5, "n/a", ha="center", va="center", fontsize=7)
    axes.set_xlabel("\n".join(_remarks(rows, titles)), fontsize=7)


def _remarks(rows: np.ndarray, titles: tuple[str, ...]) -> list[str]:
    found = []
    for row, title in zip(rows, titles, strict=True):
        text = style.defect(row)
        if text:
            found.append(f"{title}: " + ", ".join(text.splitlines()))
    few = found[:4]
    if len(found) > len(few):
        few.append(f"and {len(found) - len(few)} more")
    return few


def _colour_bar(figure: Figure, axes: list[Axes]) -> None:
    bar = figure.colorbar(axes[0].collections[0], ax=axes, shrink=0.8, aspect=25)
    bar.set_label("Pearson's correlation")
    bar.outline.set_visible(False)
