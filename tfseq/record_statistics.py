"""Statistics of records in one pass: of every channel and the label, and of how they hang together.

A *row* is a channel or the label; the label is the last. Sums are kept in float64.
"""

import dataclasses

import numpy as np

from tfseq.value_counts import ValueCounts

STRONG, VERY_STRONG = 0.5, 0.9
"""Correlations above these are counted."""
_SKEWNESS, _KURTOSIS = 0.5, 1.0


class Summary:
    """Mean and extremes, over records, of numbers that every record has some of.

    Attributes:
        count: How many records' numbers were finite; an array, like the others.
        low: The least.
        high: The greatest.
    """

    def __init__(self, shape: tuple[int, ...], above: tuple[float, ...] = ()) -> None:
        self.count = np.zeros(shape, np.int64)
        self.low, self.high = np.full(shape, np.inf), np.full(shape, -np.inf)
        self._total = np.zeros(shape)
        self._above = {threshold: np.zeros(shape, np.int64) for threshold in above}

    def add(self, values: np.ndarray) -> None:
        """Adds the numbers (records, *shape); those that are not finite are left out."""
        finite = np.isfinite(values)
        self.count += finite.sum(axis=0)
        self._total += np.where(finite, values, 0.0).sum(axis=0)
        self.low = np.minimum(self.low, np.where(finite, values, np.inf).min(axis=0))
        self.high = np.maximum(self.high, np.where(finite, values, -np.inf).max(axis=0))
        for threshold in self._above:
            self._above[threshold] += (finite & (values > threshold)).sum(axis=0)

    @property
    def mean(self) -> np.ndarray:
        """The mean; NaN without a record."""
        return _ratio(self._total, self.count)

    def share_above(self, threshold: float) -> np.ndarray:
        """The share of the records whose number is above one of the thresholds."""
        return _ratio(self._above[threshold], self.count)


@dataclasses.dataclass(frozen=True)
class Moments:
    """What the power sums of a row's finite values say; NaN where they are too few or all equal."""

    mean: float
    deviation: float
    skewness: float
    excess_kurtosis: float


class RecordStatistics:
    """Statistics of the records added so far. Values that are NaN or infinite are left out.

    Attributes:
        records: How many records there are.
        shape: (channels, steps) of a waveform; (0, 0) before the first record.
        counts: For every row, how often its finite values occur.
        not_a_number: (rows,) how many values are NaN.
        infinite: (rows,) how many are infinite.
        zeros: (rows,) how many are 0.
        correlations: Over the records, the correlation (rows, rows) within each.
        skewness: Over the records, the skewness (rows,) within each.
        excess_kurtosis: Over the records, the excess kurtosis (rows,) within each.
    """

    def __init__(self) -> None:
        self.records = 0
        self.shape = (0, 0)

    def add(self, waveforms: np.ndarray, labels: np.ndarray) -> None:
        """Adds records.

        Args:
            waveforms: (records, channels, steps) float32.
            labels: (records, steps) float32.
        """
        if not self.records:
            self.shape = waveforms.shape[1:]
            self._begin(waveforms.shape[1] + 1)
        self.records += len(waveforms)
        rows = np.concatenate([waveforms, labels[:, np.newaxis]], axis=1, dtype=np.float64)
        values = np.moveaxis(rows, 1, 0).reshape(rows.shape[1], -1)
        finite = np.isfinite(values)
        self.not_a_number += np.isnan(values).sum(axis=1)
        self.infinite += np.isinf(values).sum(axis=1)
        self.zeros += (values == 0).sum(axis=1)
        for counts, row, known in zip(self.counts, values, finite, strict=True):
            counts.add(row if known.all() else row[known])
        self._add_sums(values, finite)
        self._add_within(rows)

    def _begin(self, rows: int) -> None:
        self.counts = [ValueCounts() for _ in range(rows)]
        self.not_a_number, self.infinite, self.zeros = np.zeros((3, rows), np.int64)
        self.correlations = Summary((rows, rows), above=(STRONG, VERY_STRONG))
        self.skewness, self.excess_kurtosis = Summary((rows,)), Summary((rows,))
        self._near_gaussian = np.zeros(rows, np.int64)
        self._shift = np.full(rows, np.nan)
        self._powers = np.zeros((5, rows))
        # Of every pair, over the steps at which both are finite: how many, the sum of the one, of
        # its square, and of the product.
        self._pairs = np.zeros((4, rows, rows))

    def _add_sums(self, values: np.ndarray, finite: np.ndarray) -> None:
        """Adds to the sums, which are about a value of the row itself.

        A row that is constant then has sums of exactly 0, and since no value of n is further than
        sqrt(n) deviations from their mean, the variance loses no more than a factor n of precision.
        """
        for row in np.flatnonzero(np.isnan(self._shift) & finite.any(axis=1)):
            self._shift[row] = values[row, finite[row].argmax()]
        values = np.where(finite, values - np.nan_to_num(self._shift)[:, np.newaxis], 0.0)
        present = finite.astype(np.float64)
        squares = values * values
        self._powers += [
            present.sum(axis=1),
            values.sum(axis=1),
            squares.sum(axis=1),
            (squares * values).sum(axis=1),
            (squares * squares).sum(axis=1),
        ]
        self._pairs += [
            present @ present.T,
            values @ present.T,
            squares @ present.T,
            values @ values.T,
        ]

    def _add_within(self, rows: np.ndarray) -> None:
        """Adds what is a record's own: correlation and shape, of rows without NaN and infinity."""
        # The first value is taken off first: a row that is constant is then exactly 0.
        with np.errstate(invalid="ignore", divide="ignore"):
            centred = rows - rows[:, :, :1]
            centred -= centred.mean(axis=2, keepdims=True)
            products = centred @ np.swapaxes(centred, 1, 2)
            lengths = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
            self.correlations.add(products / lengths[:, :, None] / lengths[:, None, :])
            squares = centred * centred
            variance = squares.mean(axis=2)
            skewness = (squares * centred).mean(axis=2) / variance**1.5
            kurtosis = (squares * squares).mean(axis=2) / variance**2 - 3.0
        self.skewness.add(skewness)
        self.excess_kurtosis.add(kurtosis)
        gaussian = (np.abs(skewness) < _SKEWNESS) & (np.abs(kurtosis) < _KURTOSIS)
        self._near_gaussian += gaussian.sum(axis=0)

    def near_gaussian(self) -> np.ndarray:
        """Returns (rows,) the share of records with |skewness| < 0.5 and |excess kurtosis| < 1."""
        return _ratio(self._near_gaussian, self.skewness.count)

    def moments(self, row: int) -> Moments:
        """Returns mean, standard deviation (of the population) and shape of all values of a row."""
        count, *sums = self._powers[:, row]
        if not count:
            return Moments(*[np.nan] * 4)
        first, second, third, fourth = np.array(sums) / count
        variance = max(second - first**2, 0.0)
        if not variance:
            return Moments(self._shift[row] + first, 0.0, np.nan, np.nan)
        central_third = third - 3 * first * second + 2 * first**3
        central_fourth = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
        return Moments(
            self._shift[row] + first,
            np.sqrt(variance),
            central_third / variance**1.5,
            central_fourth / variance**2 - 3.0,
        )

    def covariance(self) -> np.ndarray:
        """Returns (rows, rows) the covariance of the population, where both rows are finite."""
        count, first, _, product = self._pairs
        return _ratio(product, count) - _ratio(first, count) * _ratio(first, count).T

    def correlation(self) -> np.ndarray:
        """Returns (rows, rows) the correlation over all steps where both rows are finite.

        It is NaN for a row that does not vary.
        """
        count, first, second, _ = self._pairs
        variance = np.maximum(_ratio(second, count) - _ratio(first, count) ** 2, 0.0)
        return _ratio(self.covariance(), np.sqrt(variance * variance.T))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The ratio, NaN where the denominator is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)
