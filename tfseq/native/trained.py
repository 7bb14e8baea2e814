"""Trains the images of a model by two calls of the kernels, forward and back.

An image holds no values: what is done to it is written down (`tfseq.native.recorded`), and the
kernels compute all of it where its values are asked for, and its gradients at once
(`tfseq/native/training.h`).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Self

import keras
import tensorflow as tf

from tfseq.models import normalization
from tfseq.models.image import Layout, Tensor
from tfseq.native import recorded, sequence_rules
from tfseq.native.chain import Chain, ChainStep, joined
from tfseq.native.library import kernels
from tfseq.native.program import Program, Step


class _Training(Program):
    """A program, and the values that it begins with.

    Args:
        x: (batch, channels, height, width).
        one_high: Whether they were sequences, without a height.
        wanted: Whether their gradient is.
    """

    def __init__(self, x: Tensor, *, one_high: bool, wanted: bool) -> None:
        _, channels, height, width = x.shape
        super().__init__((height, width, channels))
        self.x, self.one_high, self.wanted = x, one_high, wanted
        self.masks: list[Tensor] = []
        self._moved: set[str] = set()  # the layers that have their moving statistics

    def output(self, image: int) -> Tensor:
        """Returns the values of an image, (batch, channels, height, width)."""
        steps = joined(self, image)
        masks = tf.concat(self.masks, 1) if self.masks else tf.zeros((tf.shape(self.x)[0], 0))
        weights = [tf.convert_to_tensor(each) for step in steps for each in step.weights]
        numbers = [int(self.wanted), *self.numbers(image, steps)]
        values, statistics, _ = kernels().operations.tfseq_train_forward(
            self.x, masks, weights, numbers=numbers
        )
        values.set_shape((self.x.shape[0], *self.shape(image)))
        layers = _normalizations(steps)
        sizes = [2 * layer.gamma.shape[0] for layer in layers]
        statistics.set_shape([sum(sizes)])
        parts = tf.split(statistics, sizes) if sizes else []
        for layer, part in zip(layers, parts, strict=True):
            mean, variance = tf.split(part, 2)
            if layer.name not in self._moved:
                normalization.move(layer, mean, variance)
            self._moved.add(layer.name)
        return values


@dataclasses.dataclass(frozen=True)
class Trained(recorded.Recorded):
    """An image in training."""

    program: _Training

    @classmethod
    def from_plain(cls, x: Tensor, *, wanted: bool) -> Self:
        """Begins a program with (batch, height, width, channels) or (batch, steps, channels)."""
        one_high = len(x.shape) == 3
        if one_high:
            x = x[:, None]
        program = _Training(_channels_moved(x, 3, 1), one_high=one_high, wanted=wanted)
        return cls(program, 0, tuple(x.shape[1:]))

    def to_plain(self) -> Tensor:
        """Computes it, with its channels last.

        Raises:
            NotKnownError: If it is padded.
        """
        plain = _channels_moved(self._values(), 1, 3)
        return plain[:, 0] if self.program.one_high else plain

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies an activation, a layer.

        Raises:
            NotKnownError: If it is padded, and the kernels do not know the layer.
        """
        try:
            return self._chain(Chain(before=recorded.slope(function)))
        except recorded.NotKnownError:
            # What TensorFlow computes begins another program.
            values = function(self._values())
            program = _Training(values, one_high=self.program.one_high, wanted=True)
            return type(self)(program, 0, self.shape)

    def drop_channels(self, layer: keras.layers.SpatialDropout2D, *, training: bool) -> Self:
        """Drops whole channels of a record."""
        if not training or not layer.rate:
            return self
        masks = self.program.masks
        ones = tf.ones((tf.shape(self.program.x)[0], self.shape[2]))
        masks.append(keras.random.dropout(ones, layer.rate, seed=layer.seed_generator))
        return self._chain(Chain(mask=sum(mask.shape[1] for mask in masks[:-1])))

    def normalize(
        self, layer: keras.layers.BatchNormalization, *, training: bool, pooled: bool
    ) -> Self:
        """Normalizes it by the moments of the batch."""
        del training, pooled
        return self._chain(Chain(normalization=layer))

    def pool(self, rows: int) -> Self:
        """Max pooling of two steps of one row or of two.

        Raises:
            NotKnownError: If it is padded.
        """
        if self._padded:
            raise recorded.NotKnownError("a pooling of what is padded")
        return super().pool(rows)

    def _values(self) -> Tensor:
        """Returns (batch, channels, height, width)."""
        if self._padded:
            raise recorded.NotKnownError("an output that is padded")
        values = self.program.output(self.image)
        # A slice of all would be free, but not its gradient.
        return values[..., self.start : self._stop] if self._cropped else values

    def _chain(self, chain: Chain) -> Self:
        return self._next(self.shape, chain.step(self.image, self.start, self.program.next_image))

    @staticmethod
    def _no_finish(channels: int) -> None:
        del channels


def _channels_moved(x: Tensor, source: int, target: int) -> Tensor:
    """Moves the channels of images; one channel moves nothing in memory."""
    order = [axis for axis in range(4) if axis != source]
    order.insert(target, source)
    if x.shape[source] == 1:
        return tf.reshape(x, [-1, *(x.shape[axis] for axis in order[1:])])
    return tf.transpose(x, order)


def layout(*, first_wanted: bool = True) -> Layout:
    """Returns the layout of images of one pass through a model.

    Args:
        first_wanted: Whether what its first program begins with needs a gradient.
    """
    begun: list[tuple[Tensor, Trained]] = []

    def from_plain(x: Tensor) -> Trained:
        for other, image in begun:
            if other is x:
                return image
        image = Trained.from_plain(x, wanted=bool(begun) or first_wanted)
        begun.append((x, image))
        return image

    return Layout(
        from_plain=from_plain,
        can_convolve=recorded.can_convolve,
        sequence_rules=sequence_rules.RULES,
    )


def _normalizations(steps: Sequence[Step]) -> list[keras.layers.BatchNormalization]:
    chains = [step.chain for step in steps if isinstance(step, ChainStep)]
    return [chain.normalization for chain in chains if chain.normalization]


@tf.RegisterGradient("TfseqTrainForward")
def _gradients(forward: tf.Operation, upstream: tf.Tensor, *_: tf.Tensor) -> list[Tensor | None]:
    """Returns the gradients of what the kernels took forward."""
    image, masks, *weights = forward.inputs
    _, statistics, kept = forward.outputs
    numbers = forward.get_attr("numbers")
    of_image, of_weights = kernels().operations.tfseq_train_backward(
        image, masks, statistics, kept, upstream, weights, numbers=numbers
    )
    for gradient, weight in zip(of_weights, weights, strict=True):
        gradient.set_shape(weight.shape)
    wanted, *_ = numbers
    if not wanted:
        return [None, None, *of_weights]
    of_image.set_shape(image.shape)
    return [of_image, None, *of_weights]
