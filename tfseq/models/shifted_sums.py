"""A convolution of an image in strips, each strip of its output a sum of shifted ones."""

import itertools
import math

from keras import ops

from tfseq.models.image import Convolution, Tensor

Rows = tuple[tuple[Tensor, ...], ...]
_SUMS = 3  # that a sum is split into, to be added at the same time: an addition takes 4 cycles


class ShiftedSums:
    """A convolution of an image in strips.

    Args:
        rows: Of the image.
        steps: Of a strip that are the image's.
        margin: Steps before and after those, zero where they are not the image's.
        convolution: What to do.

    Attributes:
        margin: Steps before and after those of the output, in each strip.
    """

    def __init__(self, rows: Rows, steps: int, margin: int, convolution: Convolution) -> None:
        self._rows, self._convolution = rows, convolution
        self._in_phases, self._in_margin = len(rows[0]), margin
        stride = convolution.strides[1]
        if convolution.transposed:
            self._phases, self._step = self._in_phases * stride, 1
        else:
            common = math.gcd(self._in_phases, stride)
            self._phases, self._step = self._in_phases // common, stride // common
        self._reached = convolution.reached(self._phases, axis=1)
        self._steps = -(-convolution.shape[1] // self._phases)
        self.margin = self._margin_left(steps)
        kernel = convolution.kernel
        if convolution.transposed:
            kernel = ops.swapaxes(kernel, 2, 3)
        height, width, channels, filters = kernel.shape
        weights = ops.unstack(ops.reshape(kernel, (-1, filters, 1)))
        places = itertools.product(range(height), range(width), range(channels))
        self._weights = dict(zip(places, weights, strict=True))
        self._views: dict[tuple[int, int, int], list[Tensor]] = {}

    def rows(self) -> Rows:
        """Returns the rows of the output."""
        height = self._convolution.shape[0]
        rows_reached = self._convolution.reached(height, axis=0)
        return tuple(
            tuple(self._strip(row, phase, rows_reached) for phase in range(self._phases))
            for row in range(height)
        )

    def _margin_left(self, in_steps: int) -> int:
        """Returns how many steps beside the output can be computed without padding the input."""
        shifts = [place // self._in_phases for _, place, _ in self._reached]
        before = self._in_margin + min(shifts)
        last = in_steps + self._in_margin - 1 - max(shifts)
        after = last - self._step * (self._steps - 1)
        return max(0, min(before, after) // self._step)

    def _strip(self, row: int, phase: int, rows_reached: list[tuple[int, int, int]]) -> Tensor:
        """Returns a phase of a row of the output."""
        rows = [(place, tap) for out, place, tap in rows_reached if out == row]
        steps = [(place, tap) for out, place, tap in self._reached if out == phase]
        terms = [
            self._weights[row_tap, tap, channel] * strip
            for (in_row, row_tap), (place, tap) in itertools.product(rows, steps)
            if 0 <= in_row < len(self._rows)
            for channel, strip in enumerate(self._channels(in_row, place))
        ]
        bias = ops.expand_dims(self._convolution.bias, 1)
        if not terms:  # it lies in the padding alone
            batch = ops.shape(self._rows[0][0])[0]
            return ops.broadcast_to(
                bias, (batch, self._convolution.shape[2], self._steps + 2 * self.margin)
            )
        return sum(sum(terms[start::_SUMS]) for start in range(min(_SUMS, len(terms)))) + bias

    def _channels(self, row: int, place: int) -> list[Tensor]:
        """Returns the channels of the input that begin at a place, each (batch, 1, steps)."""
        shift, phase = divmod(place, self._in_phases)
        if (row, phase, shift) not in self._views:
            start = self._in_margin - self._step * self.margin + shift
            count = self._steps + 2 * self.margin
            strip = view(self._rows[row][phase], start, self._step, count)
            self._views[row, phase, shift] = ops.split(strip, strip.shape[1], axis=1)
        return self._views[row, phase, shift]


def view(strip: Tensor, start: int, step: int, count: int) -> Tensor:
    """Returns `count` steps of a strip from `start` on, with zeros where there are none."""
    stop = start + step * (count - 1) + 1
    before, after = max(0, -start), max(0, stop - strip.shape[2])
    if before or after:
        strip = ops.pad(strip, [[0, 0], [0, 0], [before, after]])
    return strip[:, :, start + before : stop + before : step]
