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
from typing import Any

import keras
import numpy as np
from keras import ops

from tfseq.models import normalization

Tensor = Any
_STEPS = 4  # of a block: longer ones multiply more zeros, shorter ones copy more steps twice


@dataclasses.dataclass(frozen=True)
class Image:
    """An image (batch, height, width, channels) in blocks of time.

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

    @property
    def exact(self) -> bool:
        """Whether the blocks hold the image and nothing else."""
        return self.rows.shape[1] * self.steps == self.shape[1]

    def replace(self, rows: Tensor) -> "Image":
        """Returns the image with other values."""
        return dataclasses.replace(self, rows=rows)


def from_plain(x: Tensor) -> Image:
    """Makes blocks of (batch, height, width, channels)."""
    height, width, channels = x.shape[1:]
    line = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, width, height * channels))
    return _reblock(Image(line, 1, (height, width, channels)), _STEPS)


def to_plain(image: Image) -> Tensor:
    """Makes (batch, height, width, channels) of blocks."""
    height, width, channels = image.shape
    rows = image.rows
    if image.windows:
        rows = ops.reshape(rows, (-1, rows.shape[1], 2, 2, image.steps // 2, height // 2, channels))
        rows = ops.transpose(rows, (0, 1, 4, 3, 5, 2, 6))
    x = ops.reshape(rows, (-1, image.rows.shape[1] * image.steps, height, channels))
    return ops.transpose(x[:, :width], (0, 2, 1, 3))


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution or a transposed one, with the padding before or the cropping after it.

    Attributes:
        kernel: (height, width, channels, filters); (height, width, filters, channels) transposed.
        bias: (filters,).
        strides: Stride in height and time.
        transposed: Whether it is a transposed convolution.
        offset: Rows and steps of padding before the image; what is cropped there, if transposed.
        shape: (height, width, filters) of the output.
    """

    kernel: Tensor
    bias: Tensor
    strides: tuple[int, int]
    transposed: bool
    offset: tuple[int, int]
    shape: tuple[int, int, int]

    def fits(self) -> bool:
        """Whether a block reaches no further than into the blocks beside it."""
        in_steps, _, before, after = self._steps()
        return max(before, after) <= in_steps

    def __call__(self, image: Image, *, windows: bool = False) -> Image:
        """Convolves an image; `windows` orders the output for a pooling."""
        in_steps, steps, before, after = self._steps()
        image = _reblock(image, in_steps, blocks=-(-self.shape[1] // steps))
        windows = windows and steps % 2 == 0 and self.shape[0] % 2 == 0
        frame = _frame(image, before, after)
        parts = [self.kernel, self.bias, ops.zeros(1, self.bias.dtype)]
        values = ops.concatenate([ops.reshape(part, (1, -1)) for part in parts], axis=1)
        index = self._index(image, steps, before, frame.shape[2], windows=windows)
        matrix = ops.take(ops.reshape(values, (-1,)), index, axis=0)
        rows = ops.matmul(ops.reshape(frame, (-1, frame.shape[2])), matrix)
        rows = ops.reshape(rows, (-1, frame.shape[1], matrix.shape[1]))
        out = Image(rows, steps, self.shape, windows)
        return out if windows else _reblock(out, _STEPS)

    def _steps(self) -> tuple[int, int, int, int]:
        """Returns the steps of a block: in, out, and those reached before and after it."""
        stride = self.strides[1]
        steps = _STEPS * stride if self.transposed else max(1, _STEPS // stride)
        in_steps = _STEPS if self.transposed else steps * stride
        reached = [step for _, step, _ in self._reached(steps, axis=1)]
        return in_steps, steps, max(0, -min(reached)), max(0, max(reached) - in_steps + 1)

    def _reached(self, size: int, axis: int) -> list[tuple[int, int, int]]:
        """Returns (output place, input place, place in the kernel) along an axis."""
        kernel, stride, offset = self.kernel.shape[axis], self.strides[axis], self.offset[axis]
        if not self.transposed:
            return [
                (out, out * stride + tap - offset, tap)
                for out, tap in itertools.product(range(size), range(kernel))
            ]
        reached = []
        for out, tap in itertools.product(range(size), range(kernel)):
            place, rest = divmod(out + offset - tap, stride)
            if not rest:
                reached.append((out, place, tap))
        return reached

    def _index(
        self, image: Image, steps: int, before: int, columns: int, *, windows: bool
    ) -> np.ndarray:
        """Returns which of (kernel, bias, zero) stands where in the banded matrix."""
        in_height, _, channels = image.shape
        height, _, filters = self.shape
        numbers = np.arange(int(np.prod(self.kernel.shape))).reshape(self.kernel.shape)
        if self.transposed:
            numbers = numbers.swapaxes(2, 3)
        zero = numbers.size + filters
        index = np.full((columns, steps, height, filters), zero, np.int32)
        frame = index[:-1].reshape(-1, in_height, channels, steps, height, filters)
        rows = [each for each in self._reached(height, axis=0) if 0 <= each[1] < in_height]
        for (step, in_step, tap), (row, in_row, row_tap) in itertools.product(
            self._reached(steps, axis=1), rows
        ):
            frame[in_step + before, in_row, :, step, row] = numbers[row_tap, tap]
        index[-1] = zero - filters + np.arange(filters)
        if windows:
            index = index.reshape(columns, steps // 2, 2, height // 2, 2, filters)
            index = index.transpose(0, 4, 2, 1, 3, 5)
        return index.reshape(columns, -1)


def activate(layer: keras.layers.Layer, image: Image) -> Image:
    """An activation that looks at each value alone."""
    return image.replace(layer(image.rows))


def drop_channels(layer: keras.layers.SpatialDropout2D, image: Image, *, training: bool) -> Image:
    """`SpatialDropout2D`: whole channels of a record are dropped."""
    if not training or not layer.rate:
        return image
    channels = image.shape[2]
    chances = keras.random.uniform(
        (ops.shape(image.rows)[0], channels), dtype=image.rows.dtype, seed=layer.seed_generator
    )
    kept = ops.cast(chances >= layer.rate, image.rows.dtype)
    # A product, which XLA computes once; it would repeat the tiling of `kept` for every row.
    kept = ops.matmul(
        kept, np.tile(np.eye(channels, dtype="float32"), image.rows.shape[2] // channels)
    )
    return image.replace(image.rows * ops.expand_dims(kept, 1) * (1.0 / (1.0 - layer.rate)))


def normalize(
    layer: keras.layers.BatchNormalization, image: Image, *, training: bool, pool: bool
) -> Image:
    """Batch normalization, with the 2 x 2 max pooling behind it if `pool`."""
    rows, mean, variance = normalization.normalize(
        layer, image.rows, training=training, pool=4 if pool else 1
    )
    if training:
        normalization.move(layer, mean, variance)
    return _pooled(image, rows) if pool else image.replace(rows)


def max_pool(image: Image) -> Image:
    """2 x 2 max pooling of an image in windows."""
    size = image.rows.shape[2] // 4
    parts = [image.rows[..., part * size : (part + 1) * size] for part in range(4)]
    largest = ops.maximum(ops.maximum(parts[0], parts[1]), ops.maximum(parts[2], parts[3]))
    return _pooled(image, largest)


def _pooled(image: Image, rows: Tensor) -> Image:
    height, width, channels = image.shape
    return _reblock(Image(rows, image.steps // 2, (height // 2, width // 2, channels)), _STEPS)


def _reblock(image: Image, steps: int, blocks: int = 0) -> Image:
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


def _frame(image: Image, before: int, after: int) -> Tensor:
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
