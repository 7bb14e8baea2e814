"""Batch normalization in few passes over the data, with its gradient written out.

Keras reads the data once for the mean, once for the variance and once to normalize, and automatic
differentiation turns that into as many passes backward again. Here both moments come out of one
pass, and the gradient is one sum and one pass. With x_hat = (x - mean) / std over n values of a
channel (Ioffe and Szegedy, 2015, section 3):

    dx = gamma / std * (dy - sum(dy) / n - x_hat * sum(dy * x_hat) / n)
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any
_SLICES = 4


def normalize(
    layer: keras.layers.BatchNormalization,
    x: Tensor,
    channels: slice = slice(None),
    *,
    training: bool,
    pool: int = 1,
) -> tuple[Tensor, Tensor, Tensor]:
    """What a `BatchNormalization` layer does, but for its moving statistics: see `move`.

    Args:
        layer: The layer, whose weights are used.
        x: (batch, ..., columns); the channels are the fastest part of the columns.
        channels: Which of the layer's channels x holds.
        training: Use the moments of the batch, not the moving ones.
        pool: Return the largest of so many equal parts of the columns instead of all of them.

    Returns:
        (batch, ..., columns / pool), and the mean and the variance of each channel that were used.
    """
    gamma, beta, mean, variance = (
        ops.convert_to_tensor(weight)[channels]
        for weight in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    )
    if training:
        mean, variance = moments(x, near=mean, channels=gamma.shape[0])
    std = ops.sqrt(variance + layer.epsilon)
    if training:
        return _normalizer(pool)(x, gamma, beta, mean, std), mean, variance
    return _scaled(_largest(x, gamma, std, pool)[0], gamma, beta, mean, std), mean, variance


def move(layer: keras.layers.BatchNormalization, mean: Tensor, variance: Tensor) -> None:
    """Moves the moving statistics of a layer towards those of a batch."""
    for moving, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + now * (1.0 - layer.momentum))


def total(x: Tensor, channels: int) -> Tensor:
    """Returns the sum of each channel of (batch, ..., columns)."""
    if channels == 1:
        return ops.reshape(ops.sum(_fold(x, x.ndim - 1)), (1,))
    columns = ops.sum(_fold(x, 1), axis=tuple(range(x.ndim - 1)))
    return ops.sum(ops.reshape(columns, (-1, channels)), axis=0)


def _fold(x: Tensor, axis: int) -> Tensor:
    """Adds a few slices of an axis: whole vectors at a time, where a reduction goes one by one."""
    size = x.shape[axis] // _SLICES
    if size < 2:
        return x

    def piece(start: int, stop: int) -> Tensor:
        return x[(slice(None),) * axis + (slice(start, stop),)]

    folded = piece(0, size)
    for index in range(1, _SLICES):
        folded = folded + piece(index * size, (index + 1) * size)
    rest = x.shape[axis] - _SLICES * size
    if rest:
        padding = [[0, 0]] * x.ndim
        padding[axis] = [0, size - rest]
        folded = folded + ops.pad(piece(_SLICES * size, x.shape[axis]), padding)
    return folded


def _count(x: Tensor, channels: int) -> Tensor:
    return ops.cast(ops.shape(x)[0] * (math.prod(x.shape[1:]) // channels), x.dtype)


def held(x: Tensor, positive: Tensor) -> Tensor:
    """Returns x, which XLA then computes once.

    XLA computes what is cheap anew for each thing that reads it. A division is not cheap to it, and
    it does not know that the sign of what is positive is 1.

    Args:
        x: What to keep.
        positive: A number above zero that is not a constant.
    """
    return x / ops.sign(positive)


def _spread(value: Tensor, x: Tensor, std: Tensor) -> Tensor:
    """Returns one value a channel as one a column."""
    if value.shape[0] == 1:
        return value
    return held(ops.tile(value, x.shape[-1] // value.shape[0]), std[0])


def moments(x: Tensor, near: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Returns mean and variance of each channel from one pass.

    The difference of two large sums would lose digits: values are counted from a mean that is near.
    """
    x, near = ops.stop_gradient(x), ops.stop_gradient(near)
    centred = x - ops.tile(near, x.shape[-1] // channels)
    count = _count(x, channels)
    offset = total(centred, channels) / count
    variance = total(centred * centred, channels) / count - offset * offset
    return near + offset, ops.maximum(variance, 0.0)


def _largest(x: Tensor, gamma: Tensor, std: Tensor, pool: int) -> tuple[Tensor, Tensor]:
    """Returns, of `pool` parts of the columns, what is largest once it is scaled by gamma.

    So a quarter of the values has to be scaled, not all. The second array says in which part it
    was: in the first of them, where several are equal.
    """
    size = x.shape[-1] // pool
    largest = x[..., :size]
    if pool == 1:
        return largest, ops.zeros_like(largest)
    signs = _spread(ops.where(gamma >= 0, 1.0, -1.0), largest, std)
    largest = largest * signs
    place = ops.zeros_like(largest)
    for part in range(1, pool):
        other = x[..., part * size : (part + 1) * size] * signs
        place = ops.where(other > largest, float(part), place)
        largest = ops.maximum(largest, other)
    return largest / signs, held(place, std[0])


def _scaled(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    scale = gamma / std
    return x * _spread(scale, x, std) + _spread(beta - mean * scale, x, std)


def _normalizer(pool: int) -> Any:
    @ops.custom_gradient
    def normalized(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, std: Tensor) -> Any:
        largest, place = _largest(x, gamma, std, pool)
        y = _scaled(largest, gamma, beta, mean, std)

        def grad(*args: Tensor, upstream: Tensor = None) -> tuple[Tensor, ...]:
            dy = args[0] if upstream is None else upstream
            channels = gamma.shape[0]
            if channels == 1:
                dy = held(dy, std[0])
            count = _count(x, channels)
            d_beta = total(dy, channels)
            centred = largest - _spread(mean, dy, std)
            d_gamma = total(dy * centred, channels) / std
            scale = gamma / std
            slope = scale * d_gamma / (std * count)
            level = scale * d_beta / count - mean * slope
            direct = dy * _spread(gamma, dy, std) / _spread(std, dy, std)
            dx = _to_place(direct, place, pool)
            dx = dx - _spread(slope, x, std) * x - _spread(level, x, std)
            return dx, d_gamma, d_beta, ops.zeros_like(mean), ops.zeros_like(std)

        return y, grad

    return normalized


def _to_place(dy: Tensor, place: Tensor, pool: int) -> Tensor:
    """Hands each gradient on to the part of the columns that its value came from."""
    if pool == 1:
        return dy
    parts = np.arange(pool, dtype="float32").reshape(1, 1, pool, 1)
    dx = ops.where(ops.equal(ops.expand_dims(place, 2), parts), ops.expand_dims(dy, 2), 0.0)
    return ops.reshape(dx, (-1, dy.shape[1], pool * dy.shape[2]))
