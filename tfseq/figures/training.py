"""Figures 8, 9 and 10: how a model learned, what it predicts, and where it errs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfseq.baselines import TITLES
from tfseq.figures import style
from tfseq.figures.content import Errors, Names, Prediction

_MOST_GROUPS = 30
_WINDOW_FRACTION = 0.02


@style.styled
def loss_curves(
    training: np.ndarray,
    validation: np.ndarray,
    levels: dict[str, float],
    quantity: str,
    where: str,
) -> Figure:
    """Draws the loss by epoch, with what trivial predictors reach on the validation records.

    Args:
        training: (epochs,); measured while the weights change and dropout is on.
        validation: (epochs,).
        levels: The same quantity of "zero" and "mean", see `tfseq.baselines`.
        quantity: Name of the loss.
        where: Model and data set.
    """
    figure = style.new_figure(8, "Loss by epoch", where, 3.2)
    axes = figure.subplots()
    epochs = np.arange(1, len(training) + 1)
    marks = {"marker": "o", "markersize": 2.5} if len(epochs) <= 50 else {}
    axes.plot(epochs, training, color=style.PALETTE[0], label="training", **marks)
    axes.plot(epochs, validation, color=style.PALETTE[1], label="validation", **marks)
    for name, level in levels.items():
        text = f"{TITLES[name]}: {level:.3g}"
        axes.axhline(level, label=text, **style.LEVEL_LINES[name])
    best = int(np.argmin(validation))
    text = f"best epoch: {best + 1} ({validation[best]:.3g})"
    best_mark = {"marker": "D", "markersize": 5, "markerfacecolor": "none", "linestyle": "none"}
    axes.plot(epochs[best], validation[best], color=style.LABEL_COLOUR, label=text, **best_mark)
    if style.is_for_logarithms([*training, *validation, *levels.values()]):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel=quantity)
    figure.legend(loc="outside right upper")
    return figure


@style.styled
def predictions(chosen: Sequence[Prediction], names: Names, where: str) -> Figure:
    """Draws predicted against true label over time, each below its waveform.

    Args:
        chosen: The records, such as the best, the median and the worst.
        names: What the axes are called.
        where: Model, data set and split.
    """
    height = 0.9 + 2.1 * len(chosen)
    figure = style.new_figure(9, "Predicted and true label over time", where, height)
    ratios = (1, 1.2) * len(chosen)
    axes = figure.subplots(2 * len(chosen), sharex=True, height_ratios=ratios)
    for prediction, waveform, label in zip(chosen, axes[::2], axes[1::2], strict=True):
        record = prediction.record
        time = np.arange(len(record.label))
        shown = record.waveform[: style.MOST_CHANNELS]
        for place, channel in enumerate(shown):
            look = {"color": style.PALETTE[place], "linewidth": 0.4, "zorder": 3 - 0.1 * place}
            waveform.plot(time, channel, label=names.channels[place], **look)
        waveform.set_title(f"{prediction.title}, mse {prediction.mse:.3g}: {record.title}")
        waveform.set_ylabel(names.waveform.replace(" (", "\n("))
        label.plot(time, record.label, color=style.LABEL_COLOUR, label="true label")
        colour = style.PALETTE[9]  # no channel has it
        label.plot(time, prediction.predicted, color=colour, label="predicted label")
        label.set_ylabel(names.label.replace(" (", "\n("))
        label.set_xlim(0, len(time) - 1)
    axes[-1].set_xlabel(names.time)
    lines = [*axes[0].get_lines(), *axes[1].get_lines()]
    legend = figure.legend(handles=lines, loc="outside lower center", ncols=6)
    for line in legend.get_lines():
        line.set_linewidth(1.5)
    figure.align_ylabels(axes)
    return figure


@style.styled
def errors(found: Errors, names: Names, where: str, level: float | None = None) -> Figure:
    """Draws the mean squared error by time step (left) and by group (right).

    Where every record is a group of its own, or there are more than 30, a histogram takes the place
    of the groups' names.

    Args:
        found: The errors on a split.
        names: What the axes are called.
        where: Model, data set and split.
        level: What predict-the-mean reaches on the split, if that is known.
    """
    groups = group_means(found)
    single = len(groups) == len(found.by_record)
    named = not single and len(groups) <= _MOST_GROUPS
    height = max(3.0, 1.2 + 0.17 * len(groups)) if named else 3.0
    figure = style.new_figure(10, "Error by time step and by group", where, height)
    by_step, by_group = figure.subplots(1, 2)
    _draw_by_step(by_step, found, level)
    by_step.set(title="mean over the records", xlabel=names.time, ylabel="mean squared error")
    if named:
        _draw_groups(by_group, found, groups)
    else:
        values = found.by_record if single else np.array(list(groups.values()))
        what = "records" if single else "groups"
        by_group.hist(values, bins=30, color=style.PALETTE[0])
        by_group.axvline(np.median(values), color=style.LABEL_COLOUR, label=f"median of the {what}")
        title = "every record is its own group" if single else f"{len(groups)} groups"
        by_group.set(title=title, xlabel=f"mean squared error of {what}", ylabel=what)
    handles = by_step.get_lines() + by_group.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower left", ncols=5)
    return figure


def group_means(found: Errors) -> dict[str, float]:
    """Returns the mean squared error of each group's records, the lowest first."""
    groups = np.array(found.groups)
    means = {name: float(found.by_record[groups == name].mean()) for name in np.unique(groups)}
    return {str(name): means[name] for name in sorted(means, key=means.get)}


def running_mean(values: np.ndarray) -> np.ndarray:
    """Returns the mean over a window of a fiftieth of the steps, smaller at both ends."""
    width = max(1, int(len(values) * _WINDOW_FRACTION))
    ones = np.ones(width)
    counts = np.convolve(np.ones(len(values)), ones, mode="same")
    return np.convolve(values, ones, mode="same") / counts


def _draw_by_step(axes: Axes, found: Errors, level: float | None) -> None:
    steps = np.arange(len(found.by_step))
    colour = style.PALETTE[0]
    axes.plot(steps, found.by_step, color=colour, linewidth=0.5, alpha=0.4, label="each step")
    axes.plot(steps, running_mean(found.by_step), color=colour, linewidth=1.2, label="running mean")
    if level is not None:
        axes.axhline(level, label=TITLES["mean"], **style.LEVEL_LINES["mean"])
    axes.set_ylim(bottom=0)
    axes.margins(x=0)


def _draw_groups(axes: Axes, found: Errors, groups: dict[str, float]) -> None:
    places = np.arange(len(groups))
    axes.barh(
        places, list(groups.values()), color=style.PALETTE[0], alpha=0.6, label="mean of a group"
    )
    row = {name: place for place, name in enumerate(groups)}
    axes.scatter(
        found.by_record,
        [row[group] for group in found.groups],
        s=4,
        color=style.LABEL_COLOUR,
        alpha=0.4,
        linewidths=0,
        label="a record",
    )
    titles = [f"{name} ({found.groups.count(name)})" for name in groups]
    axes.set_yticks(places, titles)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set(title="by group (number of records)", xlabel="mean squared error")
