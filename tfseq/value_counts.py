"""How often values occur, for quantiles and histograms of more values than fit in memory."""

import math

import numpy as np

_CELLS = 1 << 19
_DIVERGENCE_BINS = 50


class ValueCounts:
    """Counts float32 values on a grid of equal cells, in one pass and at most 4 MiB.

    A cell's width is a power of two. It doubles as the range grows, so that the range spans
    2**18 to 2**19 cells: what is read from the counts is less than 4e-6 of the range away from the
    exact value. Where few float32 numbers lie in the range, each has its own cell: then it is
    exact.

    Attributes:
        low: The lowest value so far; infinity if there is none.
        high: The highest value so far; -infinity if there is none.
    """

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self._exponent: int | None = None  # a cell is 2**exponent wide
        self._first = 0  # counts[0] are the values from first * width on
        self._counts = np.zeros(0, np.int64)

    @property
    def total(self) -> int:
        """How many values have been counted."""
        return int(self._counts.sum())

    def add(self, values: np.ndarray) -> None:
        """Counts values.

        Args:
            values: Finite numbers of type float32, or such numbers as float64; any shape.
        """
        if not values.size:
            return
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        self._cover()
        # Scaling by a power of two is exact: a value cannot slip into a neighbouring cell.
        cells = np.floor(values.ravel().astype(np.float64) * 2.0**-self._exponent).astype(np.int64)
        self._counts += np.bincount(cells - self._first, minlength=len(self._counts))

    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        """Returns quantiles, with numpy's linear interpolation between neighbouring values.

        Args:
            shares: (n,) between 0 and 1.

        Returns:
            (n,) float64, within 4e-6 of the range; NaN if nothing has been counted.
        """
        position = (self.total - 1) * np.asarray(shares, np.float64)
        if not self.total:
            return np.full(position.shape, np.nan)
        below = np.floor(position).astype(np.int64)
        low, high = self._ranked(below), self._ranked(np.ceil(position).astype(np.int64))
        return low + (high - low) * (position - below)

    def buckets(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns a histogram of equal buckets with exact counts, the values low <= value < high.

        Args:
            most: The range is cut into at most so many parts, whose edges are round numbers; the
                first and the last bucket may reach beyond it.

        Returns:
            Edges (n + 1,) float64 and counts (n,) int64; none if nothing has been counted.
        """
        if not self.total:
            return np.zeros(1), np.zeros(0, np.int64)
        exponent = max(self._exponent, _exponent((self.high - self.low) / most))
        first, counts = self._coarser(exponent)
        occupied = np.flatnonzero(counts)
        first, counts = first + occupied[0], counts[occupied[0] : occupied[-1] + 1]
        return np.arange(first, first + len(counts) + 1) * 2.0**exponent, counts

    def _ranked(self, rank: np.ndarray) -> np.ndarray:
        """The values at places in the sorted order, evenly spread inside a cell."""
        reached = np.cumsum(self._counts)
        cell = np.searchsorted(reached, rank, side="right")
        inside = (rank - reached[cell] + self._counts[cell]) / self._counts[cell]
        if self._exponent == self._finest():
            inside = 0.0
        return np.clip((self._first + cell + inside) * 2.0**self._exponent, self.low, self.high)

    def _cover(self) -> None:
        """Makes the grid reach from the lowest to the highest value."""
        exponent = max(self._finest(), _exponent((self.high - self.low) / _CELLS))
        if self._exponent is None:
            self._exponent, self._first = exponent, math.floor(self.low * 2.0**-exponent)
        elif exponent > self._exponent:
            self._first, self._counts = self._coarser(exponent)
            self._exponent = exponent
        first = min(self._first, math.floor(self.low * 2.0**-self._exponent))
        last = max(
            self._first + len(self._counts) - 1, math.floor(self.high * 2.0**-self._exponent)
        )
        if last - first + 1 > len(self._counts):
            self._counts = _placed(self._first, self._counts, first, last - first + 1)
            self._first = first

    def _finest(self) -> int:
        """The exponent at which every float32 of this size is the lower edge of a cell of its own.

        Half the spacing at the largest value: the lowest may be in the next lower power of two, but
        no further, for the range is then less than 1/16 of the values.
        """
        largest = np.float32(max(abs(self.low), abs(self.high)))
        return _exponent(float(np.spacing(largest))) - 1

    def _coarser(self, exponent: int) -> tuple[int, np.ndarray]:
        """The first cell and the counts on a grid of wider cells."""
        # More than 63 is undefined for an int64; every cell then falls to 0 or -1 anyhow.
        shift = min(exponent - self._exponent, 63)
        cells = np.arange(self._first, self._first + len(self._counts), dtype=np.int64) >> shift
        first = self._first >> shift
        return first, np.bincount(cells - first, weights=self._counts).astype(np.int64)


def divergence(one: ValueCounts, other: ValueCounts) -> float:
    """Returns the Jensen-Shannon divergence of two distributions, in bits.

    They are compared in 50 bins that hold equally many of all values together: few extreme values
    then weigh no more than they are many.

    Returns:
        0 for the same distribution to 1 for such that do not overlap; NaN if one is empty.
    """
    if not one.total or not other.total:
        return math.nan
    exponent = max(one._exponent, other._exponent)
    parts = [one._coarser(exponent), other._coarser(exponent)]
    first = min(start for start, _ in parts)
    size = max(start + len(counts) for start, counts in parts) - first
    aligned = [_placed(start, counts, first, size) for start, counts in parts]
    pooled = aligned[0] + aligned[1]
    bins = (np.cumsum(pooled) - pooled) * _DIVERGENCE_BINS // pooled.sum()
    p, q = (np.bincount(bins, weights=counts) / counts.sum() for counts in aligned)
    middle = (p + q) / 2
    bits = [np.sum(x[x > 0] * np.log2(x[x > 0] / middle[x > 0])) for x in (p, q)]
    return float(max(sum(bits) / 2, 0.0))


def _exponent(width: float) -> int:
    """The least power of two that is at least `width`, as its exponent."""
    if width == 0:
        return -1000
    mantissa, exponent = math.frexp(width)
    return exponent - (mantissa == 0.5)


def _placed(start: int, counts: np.ndarray, first: int, size: int) -> np.ndarray:
    """The counts from cell `start` on, as those of `size` cells from `first` on."""
    placed = np.zeros(size, np.int64)
    placed[start - first : start - first + len(counts)] = counts
    return placed
