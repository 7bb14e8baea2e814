"""A network written down for the kernels: images, and the steps that compute one from others."""

import dataclasses
import enum

import numpy as np

from tfseq.native.stage import Stage


class Kind(enum.IntEnum):
    """What a step does, by the numbers of `tfseq/native/inference.cc`."""

    CONVOLVE = 0
    POOL = 1
    ADD = 2
    MAP = 3


@dataclasses.dataclass
class Step:
    """What the kernels do.

    Attributes:
        numbers: The kind of the step, the images that it reads and writes, and its sizes.
        weights: Of a convolution: its kernel and its bias.
        finish: The slope of what is negative, and what each channel is then multiplied by and what
            is added; None of a step that does not look at single values.
    """

    numbers: list[int]
    weights: list[np.ndarray]
    finish: tuple[float, np.ndarray, np.ndarray] | None = None

    def arrays(self) -> list[np.ndarray]:
        """Returns all weights, as the kernels read them."""
        return [*self.weights, *map(np.atleast_1d, self.finish or ())]


class Program:
    """Images and steps.

    Args:
        shape: (height, width, channels) of the image that it begins with.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shapes = [shape]
        self._steps: list[Step] = []
        self._writers: list[Step | None] = [None]

    @property
    def next_image(self) -> int:
        """The number of the image that the next step writes."""
        return len(self._shapes)

    def add(self, shape: tuple[int, int, int], step: Step) -> None:
        """Adds a step that writes the next image."""
        self._shapes.append(shape)
        self._steps.append(step)
        self._writers.append(step)

    def width(self, image: int) -> int:
        """Returns the steps of an image."""
        return self._shapes[image][1]

    def finish(self, image: int, slope: float, factor: np.ndarray, summand: np.ndarray) -> None:
        """Has what is negative in an image multiplied by slope; then all by a factor, and added to.

        A step that computes the values does it as it writes them, if it can.
        """
        writer = self._writers[image]
        if writer is None or writer.finish is None or not _join(writer, slope, factor, summand):
            step = Step([Kind.MAP, image], [], (slope, factor, summand))
            self._steps.append(step)
            self._writers[image] = step

    def stage(self, output: int) -> Stage:
        """Returns what computes an image of the first one, both (batch, channels, height, width).

        It returns None if something in either is not finite.
        """
        numbers = [len(self._shapes), output]
        for height, width, channels in self._shapes:
            numbers += [channels, height, width]
        numbers.append(len(self._steps))
        for step in self._steps:
            numbers += step.numbers
        arrays = [np.empty(0), *(array for step in self._steps for array in step.arrays())]
        weights = np.concatenate([array.ravel() for array in arrays])
        height, width, channels = self._shapes[output]
        return Stage("network", numbers, weights, (channels, height, width))


def _join(writer: Step, slope: float, factor: np.ndarray, summand: np.ndarray) -> bool:
    """Has a step do on top of what it does already what looks at each value alone."""
    old_slope, old_factor, old_summand = writer.finish
    if slope == 1.0:
        writer.finish = (old_slope, old_factor * factor, old_summand * factor + summand)
        return True
    if old_slope != 1.0 or writer.numbers[0] != Kind.CONVOLVE:
        return False
    # The slope comes first: what came before it becomes part of the convolution.
    kernel, bias = writer.weights
    transposed = bool(writer.numbers[-1])
    scaled = kernel * (old_factor[:, None] if transposed else old_factor)
    writer.weights = [scaled, bias * old_factor + old_summand]
    writer.finish = (slope, factor, summand)
    return True
