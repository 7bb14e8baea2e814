"""Convolutions of sequences with one or two channels as sums of shifted copies, time innermost.

Keras keeps the channels innermost: with 1 or 2 of them its inner loops are 1 or 2 long. Here every
channel of a sequence is a matrix (batch, steps) of its own, and a convolution is a sum of shifted
channels, each times one number of the kernel: long vectors, which XLA fuses with what comes before
and after. A matrix product over blocks of time, as in `tfseq.models.blocks`, would move more bytes
than it saves multiplications.
"""

from typing import Any

import keras
from keras import ops

from tfseq.models import normalization

Tensor = Any
Line = tuple[Tensor, ...]


def from_plain(x: Tensor) -> Line:
    """Makes a line of (batch, steps, channels)."""
    return tuple(x[..., channel] for channel in range(x.shape[2]))


def to_plain(line: Line) -> Tensor:
    """Makes (batch, steps, channels) of a line."""
    return ops.stack(line, axis=-1)


def convolve(kernel: Tensor, bias: Tensor, line: Line, *, training: bool) -> Line:
    """A convolution with stride 1 and without padding.

    Args:
        kernel: (size, channels, filters).
        bias: (filters,).
        line: `channels` channels.
        training: Have the gradient summed in few passes; exports hold no gradients.

    Returns:
        `filters` channels, shorter by size - 1.
    """
    convolve_to_one = _with_gradient if training else _weighted_sum
    return tuple(
        convolve_to_one(kernel[..., channel], bias[channel], *line)
        for channel in range(kernel.shape[2])
    )


def _weighted_sum(kernel: Tensor, bias: Tensor, *line: Tensor) -> Tensor:
    size, channels = kernel.shape
    steps = line[0].shape[1] - size + 1
    y = bias
    for tap in range(size):
        for channel in range(channels):
            y = y + kernel[tap, channel] * line[channel][:, tap : tap + steps]
    return y


@ops.custom_gradient
def _with_gradient(kernel: Tensor, bias: Tensor, *line: Tensor) -> Any:
    size, channels = kernel.shape
    steps = line[0].shape[1] - size + 1

    def grad(*args: Tensor, upstream: Tensor = None) -> tuple[Tensor, ...]:
        dy = args[0] if upstream is None else upstream
        dy = normalization.held(dy, ops.abs(kernel[0, 0]) + 1.0)
        d_kernel = [
            normalization.total(dy * line[channel][:, tap : tap + steps], 1)
            for tap in range(size)
            for channel in range(channels)
        ]
        d_kernel = ops.reshape(ops.concatenate(d_kernel), (size, channels))
        shifted = [ops.pad(dy, [[0, 0], [tap, size - 1 - tap]]) for tap in range(size)]
        d_line = [
            sum(kernel[tap, channel] * shifted[tap] for tap in range(size))
            for channel in range(channels)
        ]
        return d_kernel, normalization.total(dy, 1)[0], *d_line

    return _weighted_sum(kernel, bias, *line), grad


def normalize(layer: keras.layers.BatchNormalization, line: Line, *, training: bool) -> Line:
    """Batch normalization."""
    parts = [
        normalization.normalize(layer, x, slice(channel, channel + 1), training=training)
        for channel, x in enumerate(line)
    ]
    if training:
        mean, variance = (ops.concatenate([part[place] for part in parts]) for place in (1, 2))
        normalization.move(layer, mean, variance)
    return tuple(part[0] for part in parts)


def pad(line: Line, before: int, after: int) -> Line:
    """Adds steps of zeros."""
    return tuple(ops.pad(x, [[0, 0], [before, after]]) for x in line)


def crop(line: Line, before: int, after: int) -> Line:
    """Takes steps away."""
    return tuple(x[:, before : x.shape[1] - after] for x in line)


def max_pool(line: Line, *, training: bool) -> Line:
    """Max pooling of pairs of steps; an odd last step falls away."""
    return tuple(map(_largest_with_gradient if training else _largest, line))


def _largest(x: Tensor) -> Tensor:
    even = x.shape[1] // 2 * 2
    return ops.maximum(x[:, 0:even:2], x[:, 1:even:2])


@ops.custom_gradient
def _largest_with_gradient(x: Tensor) -> Any:
    """Has the gradient written in one pass; XLA would write every second step, twice."""
    even = x.shape[1] // 2 * 2

    def grad(*args: Tensor, upstream: Tensor = None) -> Tensor:
        dy = args[0] if upstream is None else upstream
        first = x[:, 0:even:2] >= x[:, 1:even:2]
        pairs = ops.stack([ops.where(first, dy, 0.0), ops.where(first, 0.0, dy)], axis=-1)
        dx = ops.reshape(pairs, (-1, even))
        return ops.pad(dx, [[0, 0], [0, x.shape[1] - even]])

    return _largest(x), grad


def add(lines: list[Line]) -> Line:
    """Adds sequences channel by channel."""
    return tuple(sum(channels) for channels in zip(*lines, strict=True))
