"""Prints the statistics of records as tables."""

from collections.abc import Iterable, Sequence

import numpy as np

from tfseq.record_statistics import STRONG, VERY_STRONG, RecordStatistics

_SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def row_names(statistics: RecordStatistics) -> list[str]:
    """Returns what tables call the channels and the label."""
    return [f"channel {number}" for number in range(1, statistics.shape[0] + 1)] + ["label"]


def columns(rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Returns rows of cells as lines: so many columns to the left, the others to the right."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def table(statistics: RecordStatistics, split: str) -> str:
    """Returns the statistics of a split as text.

    Args:
        statistics: Of at least one record.
        split: The name of the split, for the title.
    """
    channels, steps = statistics.shape
    title = f"{split}: {statistics.records} records, {channels} channels x {steps} steps"
    sections = {
        "All values": _values(statistics),
        "Correlation over all steps": _matrix(statistics),
        "Correlation within each record, over the records": _correlations(statistics),
        "Shape of each record's values, over the records": _shapes(statistics),
    }
    lines = [title]
    for heading, rows in sections.items():
        lines += ["", f"  {heading}", *(f"    {line}" for line in columns(rows))]
    return "\n".join(lines)


def _values(statistics: RecordStatistics) -> list[list[str]]:
    quantiles = [f"{100 * share:g} %" for share in _SHARES]
    rows = [["", "count", "NaN", "inf", "mean", "sd", "min", *quantiles, "max", "skew", "kurtosis"]]
    for index, name in enumerate(row_names(statistics)):
        counts, moments = statistics.counts[index], statistics.moments(index)
        low, high = (counts.low, counts.high) if counts.total else (np.nan, np.nan)
        numbers = [moments.mean, moments.deviation, low]
        numbers += [*counts.quantiles(np.array(_SHARES)), high]
        numbers += [moments.skewness, moments.excess_kurtosis]
        whole = (counts.total, statistics.not_a_number[index], statistics.infinite[index])
        rows.append([name, *map(str, whole), *map(_number, numbers)])
    return rows


def _matrix(statistics: RecordStatistics) -> list[list[str]]:
    names, matrix = row_names(statistics), statistics.correlation()
    return [["", *names]] + [
        [name, *map(_fraction, line)] for name, line in zip(names, matrix, strict=True)
    ]


def _correlations(statistics: RecordStatistics) -> list[list[str]]:
    names, within = row_names(statistics), statistics.correlations
    rows = [["", "records", "mean", "min", "max", f"above {STRONG}", f"above {VERY_STRONG}"]]
    for one in range(len(names)):
        for other in range(one + 1, len(names)):
            pair = (one, other)
            count = within.count[pair]
            numbers = [within.mean[pair], within.low[pair], within.high[pair]]
            numbers += [within.share_above(each)[pair] for each in (STRONG, VERY_STRONG)]
            cells = map(_fraction, numbers) if count else ["-"] * len(numbers)
            rows.append([f"{names[one]}, {names[other]}", str(count), *cells])
    return rows


def _shapes(statistics: RecordStatistics) -> list[list[str]]:
    shapes = {"skew": statistics.skewness, "kurtosis": statistics.excess_kurtosis}
    titles = [f"{name} {what}" for name in shapes for what in ("mean", "min", "max")]
    rows = [["", "records", *titles, "near Gaussian"]]
    gaussian = statistics.near_gaussian()
    for index, name in enumerate(row_names(statistics)):
        count = statistics.skewness.count[index]
        numbers = [
            value[index] for each in shapes.values() for value in (each.mean, each.low, each.high)
        ]
        cells = map(_fraction, [*numbers, gaussian[index]]) if count else ["-"] * 7
        rows.append([name, str(count), *cells])
    return rows


def _number(value: float) -> str:
    return f"{value:.5g}" if np.isfinite(value) else "-"


def _fraction(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else "-"
