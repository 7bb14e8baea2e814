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
from collections.abc import Callable
from typing import Self

import keras
import numpy as np
from keras import ops

from tfseq.models.image import Convolution, Image, Layout, Tensor
from tfseq.models.shifted_sums import Rows, ShiftedSums, view

# Steps; each convolution uses some up, and pads where none are left. The report's networks use 10.
# With 12, the 1000 steps of the decoder would be 1024: channels whose distance is a power of two
# share cache lines.
_MARGIN = 11


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

    rows: Rows
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
        sums = ShiftedSums(source.rows, source.steps, source.margin, convolution)
        return dataclasses.replace(
            source, rows=sums.rows(), shape=convolution.shape, margin=sums.margin, held=False
        )

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
                view(strip, first + half, 2, steps + 2 * margin) for half in (0, 1) for strip in row
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


def _largest(window: tuple[Tensor, ...]) -> Tensor:
    first, second, third, fourth = window
    return ops.maximum(ops.maximum(first, second), ops.maximum(third, fourth))
