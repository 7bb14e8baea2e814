"""Images with few channels in other layouts than (batch, height, width, channels).

A layout is a class of images that knows how to do what the report's networks do with them:
`tfseq.native` for a processor, `tfseq.models.blocks` for training elsewhere and for exports,
`tfseq.models.strips` for labelling under XLA.
"""

import abc
import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Self

import keras

Tensor = Any


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

    def reached(self, size: int, axis: int) -> list[tuple[int, int, int]]:
        """Returns (output place, input place, place in the kernel) along an axis.

        Args:
            size: The output places are those from 0 to size - 1.
            axis: 0 is height, 1 is time.
        """
        kernel, stride, offset = self.kernel.shape[axis], self.strides[axis], self.offset[axis]
        reached = []
        for out, tap in itertools.product(range(size), range(kernel)):
            if not self.transposed:
                reached.append((out, out * stride + tap - offset, tap))
            elif (out + offset - tap) % stride == 0:
                reached.append((out, (out + offset - tap) // stride, tap))
        return reached


class Image(abc.ABC):
    """An image in a layout.

    Attributes:
        shape: (height, width, channels).
    """

    shape: tuple[int, int, int]

    @abc.abstractmethod
    def to_plain(self) -> Tensor:
        """Makes (batch, height, width, channels) of it."""

    @abc.abstractmethod
    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies what looks at each value alone."""

    @abc.abstractmethod
    def convolve(self, convolution: Convolution, *, pooled: bool) -> Self:
        """Convolves it.

        Args:
            convolution: What to do, one that the layout can do.
            pooled: Whether a 2 x 2 pooling follows, with what is done to each value in between.
        """

    @abc.abstractmethod
    def drop_channels(self, layer: keras.layers.SpatialDropout2D, *, training: bool) -> Self | None:
        """Drops whole channels of a record; None where this layout cannot."""

    @abc.abstractmethod
    def normalize(
        self, layer: keras.layers.BatchNormalization, *, training: bool, pooled: bool
    ) -> Self | None:
        """Normalizes it, and may do the 2 x 2 pooling behind it; None where this layout cannot."""

    @abc.abstractmethod
    def max_pool(self) -> Self | None:
        """2 x 2 max pooling; None where this layout cannot."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """A way to lay images out.

    Attributes:
        from_plain: Makes an image of (batch, height, width, channels).
        can_convolve: Whether its images can do a convolution.
        sequence_rules: How layers of one dimension are computed; in lines if there are none.
        inside: Names of layers that are passed over: the rule of a later one computes them too.
    """

    from_plain: Callable[[Tensor], Image]
    can_convolve: Callable[[Convolution], bool]
    sequence_rules: Mapping[type, Callable[..., Any]] | None = None
    inside: frozenset[str] = frozenset()
