"""Writes the layers of a model down as a program of the kernels: a layout of images.

An image of this layout holds no values, but knows which image of a program it will be.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np

from tfseq.models.image import Convolution, Image, Tensor
from tfseq.native.program import Finish, Kind, Program, Step

_MOST_PADDING = 32  # steps; with as long a kernel on top, the kernels have room for 64


class NotKnownError(Exception):
    """The kernels do not know a layer."""


@dataclasses.dataclass(frozen=True)
class Recorded(Image):
    """An image that a program computes.

    Attributes:
        program: The program.
        image: Its number.
        shape: (height, width, channels).
        start: Where in time it begins in the image; negative where zeros stand before it.
    """

    program: Program
    image: int
    shape: tuple[int, int, int]
    start: int = 0

    @classmethod
    def first(cls, shape: Sequence[int | None]) -> Self:
        """Begins a program.

        Args:
            shape: (None, height, width, channels), or (None, width, channels) for a height of 1.
        """
        shape = tuple(shape[1:]) if len(shape) == 4 else (1, *shape[1:])
        return cls(Program(shape), 0, shape)

    def to_plain(self) -> Callable[[np.ndarray], np.ndarray | None]:
        """Returns what computes it of the image that its program begins with.

        Both have their channels last, and a batch first; None if something is not finite.

        Raises:
            NotKnownError: If it is padded.
        """
        if self._padded:
            raise NotKnownError("an output that is padded")
        stage = self.program.stage(self.image)
        inside = slice(self.start, self._stop)

        def computed(x: np.ndarray) -> np.ndarray | None:
            found = stage(np.moveaxis(x, -1, 1))
            if found is None:
                return None
            plain = np.moveaxis(found[..., inside], 1, -1)
            return plain[:, 0] if x.ndim == 3 else plain

        return computed

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies an activation, a layer.

        Raises:
            NotKnownError: If the kernels do not know the layer, or the image is padded.
        """
        ones, zeros = np.ones(self.shape[2]), np.zeros(self.shape[2])
        return self._finish(slope(function), ones, zeros)

    def drop_channels(self, layer: keras.layers.SpatialDropout2D, *, training: bool) -> Self:
        """Returns the same: a program is for inference."""
        del layer, training
        return self

    def normalize(
        self, layer: keras.layers.BatchNormalization, *, training: bool, pooled: bool
    ) -> Self:
        """Normalizes it by the moving statistics.

        Raises:
            NotKnownError: If it is padded.
        """
        del training, pooled
        gamma, beta, mean, variance = (
            np.asarray(weight, np.float64)
            for weight in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
        )
        factor = gamma / np.sqrt(variance + layer.epsilon)
        return self._finish(1.0, factor, beta - mean * factor)

    def convolve(self, convolution: Convolution, *, pooled: bool) -> Self:
        """Convolves it.

        Raises:
            NotKnownError: If the padding is too long, or what is transposed is padded or cropped.
        """
        del pooled
        kernel = convolution.kernel
        reached = (convolution.shape[1] - 1) * convolution.strides[1] + kernel.shape[1]
        after = reached - convolution.offset[1] - self.shape[1]
        if convolution.transposed and (self._padded or self._cropped):
            raise NotKnownError("a transposed convolution of what is padded or cropped")
        if max(convolution.offset[1], 0 if convolution.transposed else after) > _MOST_PADDING:
            raise NotKnownError("padding that is longer than the kernels' room for it")
        offset = [convolution.offset[0], convolution.offset[1] - self.start]
        height, width, filters = convolution.shape
        pair = [self.program.shape(self.image), (filters, height, width)]
        image, maps = reversed(pair) if convolution.transposed else pair
        sizes = [*image, *maps, *kernel.shape[:2], *convolution.strides, *offset]
        places = [self.image, self.program.next_image]
        numbers = [Kind.CONVOLVE, *places, *sizes, int(convolution.transposed)]
        weights = [kernel, convolution.bias]
        return self._next(convolution.shape, Step(numbers, weights, self._no_finish(filters)))

    def max_pool(self) -> Self:
        """2 x 2 max pooling; an odd last row or step falls away."""
        return self.pool(2)

    def pool(self, rows: int) -> Self:
        """Max pooling of two steps of one row or of two."""
        height, width, channels = self.shape
        numbers = [Kind.POOL, self.image, self.start, self.program.next_image, rows]
        return self._next((height // rows, width // 2, channels), Step(numbers, []))

    def add(self, other: "Recorded") -> Self:
        """Adds another image of this shape."""
        views = [self.image, self.start, other.image, other.start]
        return self._next(self.shape, Step([Kind.ADD, *views, self.program.next_image], []))

    def shifted(self, before: int, after: int) -> Self:
        """Returns it with steps of zeros before and after it, or, if negative, with fewer steps.

        Raises:
            NotKnownError: If what was cropped is to be padded, or the padding is too long.
        """
        height, width, channels = self.shape
        beside = self.start > 0 and before > 0, self._stop < self._width and after > 0
        start, stop = self.start - before, self._stop + after
        if any(beside) or max(-start, stop - self._width) > _MOST_PADDING:
            raise NotKnownError("padding of what is cropped, or much of it")
        return dataclasses.replace(
            self, start=start, shape=(height, width + before + after, channels)
        )

    @staticmethod
    def _no_finish(channels: int) -> Finish | None:
        return 1.0, np.ones(channels), np.zeros(channels)

    @property
    def _width(self) -> int:
        return self.program.shape(self.image)[2]

    @property
    def _stop(self) -> int:
        return self.start + self.shape[1]

    @property
    def _padded(self) -> bool:
        return self.start < 0 or self._stop > self._width

    @property
    def _cropped(self) -> bool:
        return self.start > 0 or self._stop < self._width

    def _next(self, shape: tuple[int, int, int], step: Step) -> Self:
        self.program.add(shape, step)
        return type(self)(self.program, self.program.next_image - 1, shape)

    def _finish(self, slope: float, factor: np.ndarray, summand: np.ndarray) -> Self:
        if self._padded:
            raise NotKnownError("zeros beside an image are no values of it")
        self.program.finish(self.image, slope, factor, summand)
        return self


def can_convolve(convolution: Convolution) -> bool:
    """Whether a kernel is short enough."""
    return convolution.kernel.shape[1] <= _MOST_PADDING


def slope(layer: Any) -> float:
    """Returns what an activation multiplies negative numbers by.

    Raises:
        NotKnownError: If it does something else.
    """
    if isinstance(layer, keras.layers.LeakyReLU):
        return float(layer.negative_slope)
    slopes = {keras.activations.relu: 0.0, keras.activations.linear: 1.0}
    if layer.activation not in slopes:
        raise NotKnownError(layer.name)
    return slopes[layer.activation]
