"""Layers that look at each value alone, one after another, as one step of a training."""

import dataclasses
from typing import Self

import keras
import tensorflow as tf

from tfseq.native.program import Kind, Program, Step


@dataclasses.dataclass(frozen=True)
class Chain:
    """A mask, a slope of what is negative, a batch normalization, and again a slope.

    Attributes:
        mask: Which of the masks of the batch is its first channel's; None without one.
        before: The first slope.
        normalization: The layer that normalizes, if one does.
        after: The second slope.
    """

    mask: int | None = None
    before: float = 1.0
    normalization: keras.layers.BatchNormalization | None = None
    after: float = 1.0

    def then(self, other: Self) -> Self | None:
        """Returns both as one, if one can be both; what is done by both falls to neither."""
        if other == Chain():
            return self
        if self.normalization or self.after != 1.0:
            later = other.mask is None and not other.normalization and other.after == 1.0
            if not later or self.after != 1.0:
                return None
            return dataclasses.replace(self, after=other.before)
        # A mask is not negative: it may as well stand before a slope.
        masked_twice = self.mask is not None and other.mask is not None
        if masked_twice or (self.before != 1.0 and other.before != 1.0):
            return None
        mask = other.mask if self.mask is None else self.mask
        before = other.before if self.before == 1.0 else self.before
        return dataclasses.replace(other, mask=mask, before=before)

    def step(self, image: int, start: int, to: int) -> "ChainStep":
        """Returns what does it to an image, from a place in time on."""
        layer = self.normalization
        weights = [tf.constant([self.before, self.after])]
        if layer:
            near = tf.stop_gradient(tf.convert_to_tensor(layer.moving_mean))
            weights += [layer.gamma, layer.beta, near, tf.constant([layer.epsilon])]
        mask = -1 if self.mask is None else self.mask
        numbers = [Kind.CHAIN, image, start, to, mask, int(layer is not None)]
        return ChainStep(numbers, weights, chain=self)


@dataclasses.dataclass(eq=False)
class ChainStep(Step):
    """A chain in a program.

    Attributes:
        chain: The chain.
    """

    chain: Chain = Chain()


def joined(program: Program, output: int) -> list[Step]:
    """Returns the steps of a program with each chain that nothing else reads part of the next."""
    readers = [image for step in program.steps for image in _read(step)]
    done: list[Step] = []
    writers: dict[int, Step] = {}
    for step in program.steps:
        before, both = writers.get(_read(step)[0]), None
        if isinstance(step, ChainStep) and isinstance(before, ChainStep):
            source, start, to = step.numbers[1:4]
            whole = start == 0 and program.shape(source) == program.shape(to)
            if whole and source != output and readers.count(source) == 1:
                both = before.chain.then(step.chain)
            if both:
                done.remove(before)
                both = both.step(*before.numbers[1:3], to)
        done.append(both or step)
        writers[_written(step)] = done[-1]
    return done


def _read(step: Step) -> list[int]:
    """Returns the images that a step reads."""
    return [step.numbers[1], step.numbers[3]] if step.numbers[0] == Kind.ADD else [step.numbers[1]]


def _written(step: Step) -> int:
    """Returns the image that a step writes."""
    return step.numbers[{Kind.CONVOLVE: 2, Kind.ADD: 5}.get(step.numbers[0], 3)]
