"""Trains a model on a processor with kernels of tfseq's own."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfseq.models import line_rules
from tfseq.models.image import Tensor
from tfseq.models.lowering import Lowered
from tfseq.native import recorded, trained


def has_few_channels(model: keras.Model) -> bool:
    """Whether a model has the convolutions that the kernels are for."""
    return any(
        type(layer) in (layers.Conv2D, layers.Conv2DTranspose) or line_rules.is_small(layer)
        for layer in model.layers
    )


def _begins_with_weights(model: keras.Model) -> bool:
    """Whether something is trained before the first convolution."""
    for layer in model.layers:
        if isinstance(layer, (layers.Conv1D, layers.Conv2D, layers.Conv2DTranspose)):
            return False
        if layer.trainable_weights:
            return True
    return False


class NativelyTrained(Lowered):
    """A lowered model whose batches are trained by own kernels (`tfseq.native.trained`).

    XLA has to know the size of a batch to call a kernel. A data set does not say it, since its last
    batch may be smaller: batches of known sizes get a program each, and others, as where damaged
    records are left out, go through Keras's own layers. It compiles its steps itself: `compile`
    without `jit_compile`, and train it by `fit` or `train_on_batch` alone.

    Args:
        model: As for `Lowered`.
        batch_sizes: Of the batches of an epoch.
    """

    def __init__(self, model: keras.Model, batch_sizes: Sequence[int]) -> None:
        super().__init__(model)
        self._batch_sizes = tuple(batch_sizes)
        self._compiled_step = tf.function(super().train_step, jit_compile=True)

    def call(self, waveform: Tensor, training: bool = False) -> Tensor:
        """Computes the model's output."""
        if not training:
            return super().call(waveform)
        if waveform.shape[0] is None:
            return self.plain(waveform, training=True)
        try:
            layout = trained.layout(first_wanted=_begins_with_weights(self.plain))
            return self.compute(layout, waveform, training=True)
        except recorded.NotKnownError:
            return super().call(waveform, training=True)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Trains on a batch, and returns the metrics."""
        waveform = data[0]
        if waveform.shape[0] is not None:
            return self._compiled_step(data)

        def of_size(size: int) -> dict[str, Tensor]:
            # Not `ensure_shape`: TensorFlow (2.21) takes it as said of batches of other sizes too.
            def sized(x: Tensor) -> Tensor:
                return tf.slice(x, [0] * len(x.shape), (size, *x.shape[1:]))

            return self._compiled_step(tf.nest.map_structure(sized, data))

        sizes = tf.equal(tf.shape(waveform)[0], self._batch_sizes)
        branches = [functools.partial(of_size, size) for size in self._batch_sizes]
        branches.append(lambda: super(NativelyTrained, self).train_step(data))
        known = tf.concat([sizes, [True]], axis=0)
        return tf.switch_case(tf.argmax(tf.cast(known, tf.int32), output_type=tf.int32), branches)
