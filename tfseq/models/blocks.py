"""Convolutions of images with few channels as matrix products over blocks of time.

The report's convolutions have 1 to 8 channels: inner loops too short for the vector units of a
processor. Here a block of 4 steps, with the steps beside it that the kernel reaches, is one row of
a matrix, and a banded matrix made of the kernel's values maps it to all outputs of the block:

    (batch * blocks, reached steps * height * channels) x (..., steps * height * filters)

For a 3 x 3 kernel on 4 rows that multiplies 6 * 4 / 9 = 2.7 times as often as the convolution,
most of it with zeros, but a matrix product runs near the peak of the processor, and the gradients
are matrix products too. The rows hold 6/4 of the image, in one copy instead of one for each tap.
Outputs that a pooling compares lie in separate quarters of a row: it compares whole vectors.
"""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Self

import keras
import numpy as np
from keras import ops

from tfseq.models import normalization
from tfseq.models.image import Convolution, Image, Layout, Tensor

_STEPS = 4  # of a block: longer ones multiply more zeros, shorter ones copy more steps twice


@dataclasses.dataclass(frozen=True)
class Blocks(Image):
    """An image in blocks of time.

    Attributes:
        rows: (batch, blocks, columns); the columns of a block are its steps x height x channels.
        steps: Steps of a block.
        shape: (height, width, channels); what lies in the last block past the width is anything.
        windows: Whether the columns are ordered by place in a 2 x 2 window first.
    """

    rows: Tensor
    steps: int
    shape: tuple[int, int, int]
    windows: bool = False

    @classmethod
    def from_plain(cls, x: Tensor) -> Self:
        """Makes blocks of (batch, height, width, channels)."""
        height, width, channels = x.shape[1:]
        line = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, width, height * channels))
        return _reblock(cls(line, 1, (height, width, channels)), _STEPS)

    @property
    def exact(self) -> bool:
        """Whether the blocks hold the image and nothing else."""
        return self.rows.shape[1] * self.steps == self.shape[1]

    def replace(self, rows: Tensor) -> Self:
        """Returns the image with other values."""
        return dataclasses.replace(self, rows=rows)

    def to_plain(self) -> Tensor:
        """Makes (batch, height, width, channels) of it."""
        height, width, channels = self.shape
        rows = self.rows
        if self.windows:
            windows = (2, 2, self.steps // 2, height // 2, channels)
            rows = ops.reshape(rows, (-1, rows.shape[1], *windows))
            rows = ops.transpose(rows, (0, 1, 4, 3, 5, 2, 6))
        x = ops.reshape(rows, (-1, self.rows.shape[1] * self.steps, height, channels))
        return ops.transpose(x[:, :width], (0, 2, 1, 3))

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies what looks at each value alone."""
        return self.replace(function(self.rows))

    def convolve(self, convolution: Convolution, *, pooled: bool) -> Self:
        """Convolves it."""
        in_steps, steps, before, after = _steps(convolution)
        image = _reblock(self, in_steps, blocks=-(-convolution.shape[1] // steps))
        windows = pooled and steps % 2 == 0 and convolution.shape[0] % 2 == 0
        frame = _frame(image, before, after)
        kernel, bias = convolution.kernel, convolution.bias
        parts = [kernel, bias, ops.zeros(1, bias.dtype)]
        values = ops.concatenate([ops.reshape(part, (1, -1)) for part in parts], axis=1)
        index = _index(convolution, image.shape, (steps, before, frame.shape[2]), windows=windows)
        # Gathered transposed, its gradient is a product with the outputs first: faster where they
        # are fewer than the columns of the frame, as fast where they are more.
        matrix = ops.transpose(ops.take(ops.reshape(values, (-1,)), index.T, axis=0))
        rows = ops.matmul(ops.reshape(frame, (-1, frame.shape[2])), matrix)
        rows = ops.reshape(rows, (-1, frame.shape[1], matrix.shape[1]))
        out = Blocks(rows, steps, convolution.shape, windows)
        return out if windows else _reblock(out, _STEPS)

    def drop_channels(self, layer: keras.layers.SpatialDropout2D, *, training: bool) -> Self:
        """Drops whole channels of a record."""
        if not training or not layer.rate:
            return self
        rows, channels = self.rows, self.shape[2]
        chances = keras.random.uniform(
            (ops.shape(rows)[0], channels), dtype=rows.dtype, seed=layer.seed_generator
        )
        kept = ops.cast(chances >= layer.rate, rows.dtype)
        # A product, which XLA computes once; it would repeat the tiling of `kept` for every row.
        kept = ops.matmul(
            kept, np.tile(np.eye(channels, dtype="float32"), rows.shape[2] // channels)
        )
        return self.replace(rows * ops.expand_dims(kept, 1) * (1.0 / (1.0 - layer.rate)))

    def normalize(
        self, layer: keras.layers.BatchNormalization, *, training: bool, pooled: bool
    ) -> Self | None:
        """Normalizes it, and pools it where that follows: a quarter of the values is scaled."""
        if not self.exact:
            return None
        pool = pooled and self.windows
        rows, mean, variance = normalization.normalize(
            layer, self.rows, training=training, pool=4 if pool else 1
        )
        if training:
            normalization.move(layer, mean, variance)
        return self._pooled(rows) if pool else self.replace(rows)

    def max_pool(self) -> Self | None:
        """2 x 2 max pooling, if the columns are ordered for it."""
        if not (self.windows and self.exact):
            return None
        size = self.rows.shape[2] // 4
        parts = [self.rows[..., part * size : (part + 1) * size] for part in range(4)]
        largest = ops.maximum(ops.maximum(parts[0], parts[1]), ops.maximum(parts[2], parts[3]))
        return self._pooled(largest)

    def _pooled(self, rows: Tensor) -> Self:
        height, width, channels = self.shape
        pooled = Blocks(rows, self.steps // 2, (height // 2, width // 2, channels))
        return _reblock(pooled, _STEPS)


def _fits(convolution: Convolution) -> bool:
    """Whether a block reaches no further than into the blocks beside it."""
    in_steps, _, before, after = _steps(convolution)
    return max(before, after) <= in_steps


LAYOUT = Layout(from_plain=Blocks.from_plain, can_convolve=_fits)


def _steps(convolution: Convolution) -> tuple[int, int, int, int]:
    """Returns the steps of a block: in, out, and those reached before and after it."""
    stride = convolution.strides[1]
    steps = _STEPS * stride if convolution.transposed else max(1, _STEPS // stride)
    in_steps = _STEPS if convolution.transposed else steps * stride
    reached = [step for _, step, _ in convolution.reached(steps, axis=1)]
    return in_steps, steps, max(0, -min(reached)), max(0, max(reached) - in_steps + 1)


def _index(
    convolution: Convolution,
    in_shape: tuple[int, int, int],
    sizes: tuple[int, int, int],
    *,
    windows: bool,
) -> np.ndarray:
    """Returns which of (kernel, bias, zero) stands where in the banded matrix.

    Args:
        convolution: What it does.
        in_shape: (height, width, channels) of the image before it.
        sizes: Steps of a block, steps before it, columns of the matrix.
        windows: Whether the output is ordered for a pooling.
    """
    steps, before, columns = sizes
    in_height, _, channels = in_shape
    height, _, filters = convolution.shape
    kernel = convolution.kernel
    numbers = np.arange(int(np.prod(kernel.shape))).reshape(kernel.shape)
    if convolution.transposed:
        numbers = numbers.swapaxes(2, 3)
    zero = numbers.size + filters
    index = np.full((columns, steps, height, filters), zero, np.int32)
    frame = index[:-1].reshape(-1, in_height, channels, steps, height, filters)
    rows = [each for each in convolution.reached(height, axis=0) if 0 <= each[1] < in_height]
    for (step, in_step, tap), (row, in_row, row_tap) in itertools.product(
        convolution.reached(steps, axis=1), rows
    ):
        frame[in_step + before, in_row, :, step, row] = numbers[row_tap, tap]
    index[-1] = zero - filters + np.arange(filters)
    if windows:
        index = index.reshape(columns, steps // 2, 2, height // 2, 2, filters)
        index = index.transpose(0, 4, 2, 1, 3, 5)
    return index.reshape(columns, -1)


def _reblock(image: Blocks, steps: int, blocks: int = 0) -> Blocks:
    """Cuts the image into blocks of another length, and adds blocks up to a number.

    No value moves where that gives whole blocks.
    """
    held = image.rows.shape[1] * image.steps
    blocks = max(blocks, -(-held // steps))
    if (image.steps, image.rows.shape[1]) == (steps, blocks):
        return image
    columns = image.rows.shape[2] // image.steps
    rows = ops.reshape(image.rows, (-1, held, columns))
    if blocks * steps > held:
        rows = ops.pad(rows, [[0, 0], [0, blocks * steps - held], [0, 0]])
    rows = ops.reshape(rows, (-1, blocks, steps * columns))
    return dataclasses.replace(image, rows=rows, steps=steps)


def _frame(image: Blocks, before: int, after: int) -> Tensor:
    """Returns each block with the steps that its convolution reaches, and a one for the bias."""
    rows = image.rows
    width = image.shape[1]
    columns = rows.shape[2] // image.steps
    if not image.exact:
        inside = np.arange(rows.shape[1] * image.steps * columns) < width * columns
        rows = rows * ops.cast(inside.reshape(1, rows.shape[1], rows.shape[2]), rows.dtype)
    parts = [rows]
    if before:
        earlier = rows[:, :-1, rows.shape[2] - before * columns :]
        parts.insert(0, ops.pad(earlier, [[0, 0], [1, 0], [0, 0]]))
    if after:
        later = rows[:, 1:, : after * columns]
        parts.append(ops.pad(later, [[0, 0], [0, 1], [0, 0]]))
    parts.append(ops.ones((ops.shape(rows)[0], rows.shape[1], 1), rows.dtype))
    return ops.concatenate(parts, axis=-1)
