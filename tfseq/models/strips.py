"""Convolutions of images with few channels as sums of shifted strips, for labelling under XLA.

Blocks (`tfseq.models.blocks`) multiply zeros, and a product of a tall matrix by a small one keeps a
processor from its peak. Here nothing is multiplied that the convolution does not multiply: a row of
an image is a strip (batch, channels, steps), time innermost, and a row of the output is the sum of
shifted strips, each times a column of the kernel. XLA makes one loop of it, whole vectors at a
time, with the activation, the normalization and the pooling behind it: the outputs of a convolution
that is pooled never reach memory.

A strip may hold every second or fourth step alone: a phase. The outputs of a transposed convolution
with stride 2 have two phases, computed apart, and a pooling compares phases; neither reads or
writes every second value of a vector.

XLA would compute a layer anew for each of the shifts in which the next one reads it. It does not
repeat a division, which it takes for expensive, so each layer is divided by `one`: a number that
is 1 but that XLA does not know. Without XLA these are hundreds of small operations: slow, though
the result is the same.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable
from typing import Self

import keras
import numpy as np
from keras import ops

from tfseq.models.image import Convolution, Image, Layout, Tensor

# Steps; each convolution uses some up, and pads where none are left. The report's networks use 10.
# With 12, the 1000 steps of the decoder would be 1024: channels whose distance is a power of two
# share cache lines.
_MARGIN = 11
_SUMS = 3  # that a sum is split into, to be added at the same time: an addition takes 4 cycles


@dataclasses.dataclass(frozen=True)
class Strips(Image):
    """An image in strips, for inference.

    Attributes:
        rows: By row and phase, (batch, channels, margin + steps + margin); step t of phase p is
            step t * phases + p of the image.
        shape: (height, width, channels).
        margin: Steps before and after those of the image, in each strip.
        one: A scalar that is 1.
        held: Whether what lies beside the image is zero, and XLA will not compute it twice.
    """

    rows: tuple[tuple[Tensor, ...], ...]
    shape: tuple[int, int, int]
    margin: int
    one: Tensor
    held: bool

    @classmethod
    def from_plain(cls, x: Tensor, one: Tensor) -> Self:
        """Makes strips of (batch, height, width, channels)."""
        height, width, channels = x.shape[1:]
        lines = ops.reshape(ops.transpose(x, (0, 3, 1, 2)), (-1, channels * height, width))
        lines = ops.pad(lines, [[0, 0], [0, 0], [_MARGIN, _MARGIN]]) / one
        rows = tuple((lines[:, row::height],) for row in range(height))
        return cls(rows, (height, width, channels), _MARGIN, one, held=True)

    @property
    def phases(self) -> int:
        """How many strips share a row."""
        return len(self.rows[0])

    @property
    def steps(self) -> int:
        """Steps of a strip that are the image's; in the last phases one less may be."""
        return -(-self.shape[1] // self.phases)

    def to_plain(self) -> Tensor:
        """Makes (batch, height, width, channels) of it."""
        inner = slice(self.margin, self.margin + self.steps)
        rows = []
        for row in self.hold().rows:
            phases = [strip[:, :, inner] for strip in row]
            line = phases[0]
            if len(phases) > 1:
                line = ops.reshape(
                    ops.stack(phases, axis=-1), (-1, self.shape[2], self.steps * self.phases)
                )
            rows.append(line[:, :, : self.shape[1]])
        return ops.transpose(ops.stack(rows, axis=1), (0, 1, 3, 2))

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies what looks at each value alone."""
        rows = tuple(tuple(function(strip) for strip in row) for row in self.rows)
        return dataclasses.replace(self, rows=rows, held=False)

    def hold(self) -> Self:
        """Returns the same, computed once: what comes next reads it several times."""
        if self.held:
            return self
        steps = np.arange(self.steps + 2 * self.margin) - self.margin
        rows = []
        for row in self.rows:
            held = []
            for phase, strip in enumerate(row):
                place = steps * self.phases + phase
                inside = (place >= 0) & (place < self.shape[1])
                held.append((strip if inside.all() else ops.where(inside, strip, 0.0)) / self.one)
            rows.append(tuple(held))
        return dataclasses.replace(self, rows=tuple(rows), held=True)

    def convolve(self, convolution: Convolution, *, pooled: bool) -> Self:
        """Convolves it."""
        source = self.hold()
        if pooled and source.phases % 2:
            source = source._in_two_phases()
        return _Sums(source, convolution).image()

    def drop_channels(self, layer: keras.layers.SpatialDropout2D, *, training: bool) -> Self | None:
        """Returns the same: strips are for inference."""
        del layer
        return None if training else self

    def normalize(
        self, layer: keras.layers.BatchNormalization, *, training: bool, pooled: bool
    ) -> Self | None:
        """Normalizes it by the moving statistics; XLA does the pooling in the same loop."""
        del pooled
        if training:
            return None
        gamma, beta, mean, variance = (
            ops.expand_dims(ops.convert_to_tensor(weight), 1)
            for weight in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
        )
        scale = gamma / ops.sqrt(variance + layer.epsilon)
        return self.map(lambda strip: strip * scale + (beta - mean * scale))

    def max_pool(self) -> Self:
        """2 x 2 max pooling; an odd last row or step falls away."""
        source = self._in_two_phases() if self.phases % 2 else self
        height, width, channels = self.shape
        shape = (height // 2, width // 2, channels)
        length = -(-shape[1] // (source.phases // 2)) + 2 * source.margin
        rows = []
        for row in range(shape[0]):
            pair = source.rows[2 * row : 2 * row + 2]
            windows = zip(*(strips[place::2] for strips in pair for place in (0, 1)), strict=True)
            rows.append(tuple(_largest(window)[:, :, :length] for window in windows))
        return dataclasses.replace(source, rows=tuple(rows), shape=shape, held=False)

    def _in_two_phases(self) -> Self:
        """Returns the same with twice as many phases, as views of every second step."""
        steps = -(-self.shape[1] // (2 * self.phases))
        margin = self.margin // 2
        first = self.margin - 2 * margin
        rows = tuple(
            tuple(
                _view(strip, first + half, 2, steps + 2 * margin)
                for half in (0, 1)
                for strip in row
            )
            for row in self.rows
        )
        return dataclasses.replace(self, rows=rows, margin=margin)


def layout(one: Tensor) -> Layout:
    """Returns the layout.

    Args:
        one: A scalar that is 1, and not a constant.
    """
    from_plain = functools.partial(Strips.from_plain, one=one)
    return Layout(from_plain=from_plain, can_convolve=lambda convolution: True)


class _Sums:
    """A convolution of an image in strips.

    Args:
        source: The image, held.
        convolution: What to do.
    """

    def __init__(self, source: Strips, convolution: Convolution) -> None:
        self._source, self._convolution = source, convolution
        stride = convolution.strides[1]
        if convolution.transposed:
            self._phases, self._step = source.phases * stride, 1
        else:
            common = math.gcd(source.phases, stride)
            self._phases, self._step = source.phases // common, stride // common
        self._reached = convolution.reached(self._phases, axis=1)
        self._steps = -(-convolution.shape[1] // self._phases)
        self._margin = self._margin_left()
        kernel = convolution.kernel
        if convolution.transposed:
            kernel = ops.swapaxes(kernel, 2, 3)
        height, width, channels, filters = kernel.shape
        weights = ops.unstack(ops.reshape(kernel, (-1, filters, 1)))
        places = itertools.product(range(height), range(width), range(channels))
        self._weights = dict(zip(places, weights, strict=True))
        self._views: dict[tuple[int, int, int], list[Tensor]] = {}

    def image(self) -> Strips:
        """Returns the output."""
        height = self._convolution.shape[0]
        rows_reached = self._convolution.reached(height, axis=0)
        rows = tuple(
            tuple(self._strip(row, phase, rows_reached) for phase in range(self._phases))
            for row in range(height)
        )
        shape, one = self._convolution.shape, self._source.one
        return Strips(rows, shape, self._margin, one, held=False)

    def _margin_left(self) -> int:
        """Returns how many steps beside the output can be computed without padding the input."""
        source = self._source
        shifts = [place // source.phases for _, place, _ in self._reached]
        before = source.margin + min(shifts)
        last = source.steps + source.margin - 1 - max(shifts)
        after = last - self._step * (self._steps - 1)
        return max(0, min(before, after) // self._step)

    def _strip(self, row: int, phase: int, rows_reached: list[tuple[int, int, int]]) -> Tensor:
        """Returns a phase of a row of the output."""
        rows = [(place, tap) for out, place, tap in rows_reached if out == row]
        steps = [(place, tap) for out, place, tap in self._reached if out == phase]
        terms = [
            self._weights[row_tap, tap, channel] * strip
            for (in_row, row_tap), (place, tap) in itertools.product(rows, steps)
            if 0 <= in_row < len(self._source.rows)
            for channel, strip in enumerate(self._channels(in_row, place))
        ]
        bias = ops.expand_dims(self._convolution.bias, 1)
        if not terms:  # it lies in the padding alone
            batch = ops.shape(self._source.rows[0][0])[0]
            return ops.broadcast_to(
                bias, (batch, self._convolution.shape[2], self._steps + 2 * self._margin)
            )
        return sum(sum(terms[start::_SUMS]) for start in range(min(_SUMS, len(terms)))) + bias

    def _channels(self, row: int, place: int) -> list[Tensor]:
        """Returns the channels of the input that begin at a place, each (batch, 1, steps)."""
        shift, phase = divmod(place, self._source.phases)
        if (row, phase, shift) not in self._views:
            start = self._source.margin - self._step * self._margin + shift
            strip = self._source.rows[row][phase]
            view = _view(strip, start, self._step, self._steps + 2 * self._margin)
            self._views[row, phase, shift] = ops.split(view, view.shape[1], axis=1)
        return self._views[row, phase, shift]


def _view(strip: Tensor, start: int, step: int, count: int) -> Tensor:
    """Returns `count` steps of a strip from `start` on, with zeros where there are none."""
    stop = start + step * (count - 1) + 1
    before, after = max(0, -start), max(0, stop - strip.shape[2])
    if before or after:
        strip = ops.pad(strip, [[0, 0], [0, 0], [before, after]])
    return strip[:, :, start + before : stop + before : step]


def _largest(window: tuple[Tensor, ...]) -> Tensor:
    first, second, third, fourth = window
    return ops.maximum(ops.maximum(first, second), ops.maximum(third, fourth))
