"""Convolutions of images with few channels by kernels of tfseq's own, for training on a processor.

An image is (batch, channels, height, width), and a kernel convolves it: a row of the output
is a sum of shifted rows, each times a number of the kernel. It multiplies what the convolution
multiplies and nothing else, as `tfseq.models.strips` does, and its gradients do too, in one pass
over the feature maps where XLA makes one for each place in the kernel. What looks at each value
alone is left to XLA. The kernels go with XLA alone, and with a batch whose size is known.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Self

import keras
import tensorflow as tf

from tfseq.models import normalization
from tfseq.models.image import Convolution, Image, Layout, Tensor
from tfseq.native.library import call

_MARGIN = 64  # steps that a kernel reads before or behind a row: tfseq/native/rows.h


@dataclasses.dataclass(frozen=True)
class Maps(Image):
    """An image with its channels apart.

    Attributes:
        values: (batch, channels, height, width).
        shape: (height, width, channels).
    """

    values: Tensor
    shape: tuple[int, int, int]

    @classmethod
    def from_plain(cls, x: Tensor) -> Self:
        """Makes maps of (batch, height, width, channels)."""
        return cls(tf.transpose(x, (0, 3, 1, 2)), tuple(x.shape[1:]))

    def to_plain(self) -> Tensor:
        """Makes (batch, height, width, channels) of it."""
        return tf.transpose(self.values, (0, 2, 3, 1))

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies what looks at each value alone."""
        return dataclasses.replace(self, values=function(self.values))

    def convolve(self, convolution: Convolution, *, pooled: bool) -> Self:
        """Convolves it."""
        del pooled
        values, before = self.values, convolution.offset[1]
        reached = (convolution.shape[1] - 1) * convolution.strides[1] + convolution.kernel.shape[1]
        after = reached - before - self.shape[1]
        if not convolution.transposed and max(before, after) > _MARGIN:
            values = tf.pad(values, [[0, 0], [0, 0], [0, 0], [before, max(0, after)]])
            convolution = dataclasses.replace(convolution, offset=(convolution.offset[0], 0))
        values = _convolver(convolution)(values, convolution.kernel, convolution.bias)
        return Maps(values, convolution.shape)

    def drop_channels(self, layer: keras.layers.SpatialDropout2D, *, training: bool) -> Self:
        """Drops whole channels of a record."""
        if not training or not layer.rate:
            return self
        chances = keras.random.uniform(self.values.shape[:2], seed=layer.seed_generator)
        kept = tf.where(chances >= layer.rate, 1.0 / (1.0 - layer.rate), 0.0)
        return self.map(lambda values: values * kept[:, :, None, None])

    def normalize(
        self, layer: keras.layers.BatchNormalization, *, training: bool, pooled: bool
    ) -> Self | None:
        """Normalizes it by the moments of the batch, and pools it where that follows."""
        if not training:
            return None
        gamma, beta, near = map(tf.convert_to_tensor, (layer.gamma, layer.beta, layer.moving_mean))
        mean, variance = _moments(self.values, near)
        normalization.move(layer, mean, variance)
        std = tf.sqrt(variance + layer.epsilon)
        largest = _normalizer(mean, std, pooled=pooled)(self.values, gamma, beta)
        return self._pooled(largest) if pooled else self.map(lambda _: largest)

    def max_pool(self) -> Self:
        """2 x 2 max pooling; an odd last row or step falls away."""
        return self._pooled(_max_pool(self.values))

    def _pooled(self, values: Tensor) -> Self:
        height, width, channels = self.shape
        return Maps(values, (height // 2, width // 2, channels))


LAYOUT = Layout(
    from_plain=Maps.from_plain,
    can_convolve=lambda convolution: convolution.kernel.shape[1] <= _MARGIN,
)


def _convolver(convolution: Convolution) -> Callable[..., Tensor]:
    """Returns the convolution of (values, kernel, bias), with its gradient."""
    height, width, filters = convolution.shape
    names = ("convolve", "convolve_transposed")
    forward, backward = reversed(names) if convolution.transposed else names

    @tf.custom_gradient
    def convolve(values: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Callable]:
        shape = (values.shape[0], filters, height, width)
        image, maps = (shape, values.shape) if convolution.transposed else (values.shape, shape)
        sizes = [*image, *maps[1:], *kernel.shape[:2], *convolution.strides, *convolution.offset]
        integers = [*sizes, int(convolution.transposed)]

        def gradient(upstream: Tensor) -> tuple[Tensor, ...]:
            zeros = tf.zeros(values.shape[1])
            to_values = call(backward, [upstream, kernel, zeros], values.shape, integers)
            pair = (upstream, values) if convolution.transposed else (values, upstream)
            size = math.prod(kernel.shape)
            weights = call("weights_gradient", pair, [size + filters], integers)
            return to_values, tf.reshape(weights[:size], kernel.shape), weights[size:]

        return call(forward, [values, kernel, bias], shape, integers), gradient

    return convolve


def _channel_sums(x: Tensor, y: Tensor, x_centre: Tensor, y_centre: Tensor) -> tuple[Tensor, ...]:
    """Returns the sums of x - x_centre, and of that times y - y_centre, of each channel."""
    channels = x.shape[1]
    operands = [x, y, x_centre, y_centre]
    return tf.unstack(call("channel_sums", operands, [channels, 2], x.shape), axis=1)


def _moments(values: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mean and variance of each channel, counted from a mean that is near."""
    values, near = tf.stop_gradient(values), tf.stop_gradient(near)
    count = _values_of_a_channel(values)
    offsets, squares = _channel_sums(values, values, near, near)
    offset = offsets / count
    return near + offset, tf.maximum(squares / count - offset * offset, 0.0)


def _values_of_a_channel(values: Tensor) -> float:
    batch, _, height, width = values.shape
    return float(batch * height * width)


def _largest(values: Tensor, signs: Tensor) -> Tensor:
    batch, channels, height, width = values.shape
    shape = (batch, channels, height // 2, width // 2)
    return call("largest", [values, signs], shape, values.shape)


def _largest_gradient(
    values: Tensor, signs: Tensor, slopes: Tensor, factor: Tensor, level: Tensor
) -> Tensor:
    """Hands gradients on to what was largest, and adds factor * values + level."""
    operands = [values, signs, slopes, factor, level]
    return call("largest_gradient", operands, values.shape, values.shape)


@tf.custom_gradient
def _max_pool(values: Tensor) -> tuple[Tensor, Callable]:
    ones, zeros = tf.ones(values.shape[1]), tf.zeros(values.shape[1])

    def gradient(upstream: Tensor) -> Tensor:
        return _largest_gradient(values, ones, upstream, zeros, zeros)

    return _largest(values, ones), gradient


def _normalizer(mean: Tensor, std: Tensor, *, pooled: bool) -> Callable[..., Tensor]:
    """Returns the normalization of (values, gamma, beta), pooled or not, with its gradient.

    The formulas are those of `tfseq.models.normalization`; what is largest is found before it is
    scaled, a quarter of the values.
    """

    @tf.custom_gradient
    def normalize(values: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Callable]:
        signs = tf.where(gamma >= 0, 1.0, -1.0)
        largest = _largest(values, signs) if pooled else values
        scale = gamma / std

        def gradient(upstream: Tensor) -> tuple[Tensor, ...]:
            zeros = tf.zeros_like(mean)
            d_beta, products = _channel_sums(upstream, largest, zeros, mean)
            d_gamma = products / std
            count = _values_of_a_channel(values)
            factor = -scale * d_gamma / (std * count)
            level = -scale * d_beta / count - mean * factor
            direct = upstream * _each(scale)
            if pooled:
                d_values = _largest_gradient(values, signs, direct, factor, level)
            else:
                d_values = direct + _each(factor) * values + _each(level)
            return d_values, d_gamma, d_beta

        return largest * _each(scale) + _each(beta - mean * scale), gradient

    return normalize


def _each(value: Tensor) -> Tensor:
    """Lays one value a channel along (batch, channels, height, width)."""
    return value[:, None, None]
