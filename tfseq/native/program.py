"""A network written down for the kernels: images, and the steps that compute one from others."""

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfseq.native.stage import Stage


class Kind(enum.IntEnum):
    """What a step does, by the numbers of `tfseq/native/steps.h`.

    What looks at each value alone is a map in labelling and a chain in training.
    """

    CONVOLVE = 0
    POOL = 1
    ADD = 2
    MAP = 3
    CHAIN = 4


Finish = tuple[float, np.ndarray, np.ndarray]
"""What negative values are multiplied by; what each channel is then, and what is added to it."""


@dataclasses.dataclass(eq=False)
class Step:
    """What the kernels do.

    Attributes:
        numbers: The kind of the step, the images that it reads and writes, and its sizes.
        weights: Such as the kernel and the bias of a convolution, tensors or arrays.
        finish: What it does to single values as it writes them; None of one that cannot.
    """

    numbers: list[int]
    weights: list[Any]
    finish: Finish | None = None

    def arrays(self) -> list[np.ndarray]:
        """Returns all weights, as the kernels read them."""
        return [*self.weights, *map(np.atleast_1d, self.finish or ())]


class Program:
    """Images and steps.

    Args:
        shape: (height, width, channels) of the image that it begins with.

    Attributes:
        steps: In the order in which they are done.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shapes = [shape]
        self.steps: list[Step] = []
        self._writers: list[Step | None] = [None]

    @property
    def next_image(self) -> int:
        """The number of the image that the next step writes."""
        return len(self._shapes)

    def add(self, shape: tuple[int, int, int], step: Step) -> None:
        """Adds a step that writes the next image."""
        self._shapes.append(shape)
        self.steps.append(step)
        self._writers.append(step)

    def shape(self, image: int) -> tuple[int, int, int]:
        """Returns (channels, height, width) of an image."""
        height, width, channels = self._shapes[image]
        return channels, height, width

    def finish(self, image: int, slope: float, factor: np.ndarray, summand: np.ndarray) -> None:
        """Has what is negative in an image multiplied by slope; then all by a factor, and added to.

        A step that computes the values does it as it writes them, if it can.
        """
        writer = self._writers[image]
        if writer is None or writer.finish is None or not _join(writer, slope, factor, summand):
            step = Step([Kind.MAP, image], [], (slope, factor, summand))
            self.steps.append(step)
            self._writers[image] = step

    def stage(self, output: int) -> Stage:
        """Returns what computes an image of the first one, both (batch, channels, height, width).

        It returns None if something in either is not finite.
        """
        arrays = [np.empty(0), *(array for step in self.steps for array in step.arrays())]
        weights = np.concatenate([np.ravel(array) for array in arrays])
        return Stage("network", self.numbers(output, self.steps), weights, self.shape(output))

    def numbers(self, output: int, steps: Sequence[Step]) -> list[int]:
        """Returns what the kernels have to know to compute an image in some steps."""
        numbers = [len(self._shapes), output]
        for image in range(len(self._shapes)):
            numbers += self.shape(image)
        numbers.append(len(steps))
        for step in steps:
            numbers += step.numbers
        return numbers


def _join(writer: Step, slope: float, factor: np.ndarray, summand: np.ndarray) -> bool:
    """Has a step do on top of what it does already what looks at each value alone."""
    old_slope, old_factor, old_summand = writer.finish
    if slope == 1.0:
        writer.finish = (old_slope, old_factor * factor, old_summand * factor + summand)
        return True
    if old_slope != 1.0 or writer.numbers[0] != Kind.CONVOLVE:
        return False
    # The slope comes first: what came before it becomes part of the convolution.
    kernel, bias = map(np.asarray, writer.weights)
    transposed = bool(writer.numbers[-1])
    scaled = kernel * (old_factor[:, None] if transposed else old_factor)
    writer.weights = [scaled, bias * old_factor + old_summand]
    writer.finish = (slope, factor, summand)
    return True
