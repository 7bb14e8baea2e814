"""The one look of all figures, and how they are saved."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfseq import atomic_file

WIDTH = 6.5
"""Inches: a text page's width, so that the font sizes below are those on the page."""

MOST_CHANNELS = 8
"""So many channels are drawn one by one; figures of more say that these are the first."""

PALETTE = seaborn.color_palette("colorblind").as_hex()
LABEL_COLOUR = "#222222"
UNDEFINED_COLOUR = "#d0d0d0"

LEVEL_LINES = {
    "zero": {"color": "#555555", "linestyle": ":"},
    "mean": {"color": "#555555", "linestyle": "--"},
}
"""How the lines of what baselines reach are drawn, by the names of `tfseq.baselines`."""

_LOG_RATIO = 20

PARAMETERS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "figure.titlesize": 9,
    "figure.facecolor": "white",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 0.8,
    "svg.hashsalt": "tfseq",  # else the same picture is another file each time
}

styled = matplotlib.rc_context(PARAMETERS)
"""Decorates a function that draws."""


def empty_figure(title: str, height: float) -> Figure:
    """Returns an empty figure of page width.

    It does not go through pyplot: no display is needed and nothing keeps it in memory.

    Args:
        title: One line or two.
        height: Inches.
    """
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def new_figure(number: int, title: str, where: str, height: float) -> Figure:
    """Returns an empty figure of page width with its number and title.

    Args:
        number: Its number in the report's order.
        title: What it shows.
        where: Data set, split and record; the second line of the title.
        height: Inches.
    """
    return empty_figure(f"Fig. {number}. {title}\n{where}", height)


def is_for_logarithms(values: Sequence[float]) -> bool:
    """Whether an axis of some values is to be logarithmic: a linear one would hide the low ones."""
    low, high = np.min(values), np.max(values)
    return bool(low > 0 and high > _LOG_RATIO * low)


def note(axes: Axes, text: str) -> None:
    """Writes a remark into the upper right corner of an axes, on white."""
    axes.text(
        0.99,
        0.97,
        text,
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=7,
        bbox={"facecolor": "white", "edgecolor": "#999999", "linewidth": 0.5, "pad": 3},
    )


def finite(values: np.ndarray) -> np.ndarray:
    """Returns the finite ones of some values, flat."""
    return values[np.isfinite(values)]


def defect(values: np.ndarray) -> str:
    """Returns what about some values has to be said in the picture; empty if nothing has."""
    usable = finite(values)
    said = []
    if usable.size and np.ptp(usable) == 0:
        said.append(f"constant {usable[0]:g}")
    if usable.size < values.size:
        said.append(f"{values.size - usable.size} of {values.size} steps not finite: left out")
    return "\n".join(said)


def save(figure: Figure, path: Path, dots_per_inch: int) -> None:
    """Writes a figure, whole or not at all, over what is there.

    Args:
        figure: What a function of this package returned.
        path: Its suffix is .png, .svg or .pdf.
        dots_per_inch: Of a PNG, and of what is rasterized in the other formats.

    Raises:
        OSError: If the file cannot be written.
    """
    form = path.suffix[1:]
    # Dates would make another file of the same picture.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
    with (
        atomic_file.replacing(path, shared=True) as temporary,
        matplotlib.rc_context(PARAMETERS),
    ):
        figure.savefig(temporary, format=form, dpi=dots_per_inch, metadata=metadata)
