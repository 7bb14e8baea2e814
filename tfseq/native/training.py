"""Trains a model on a processor with kernels of tfseq's own."""

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfseq.models import line_rules
from tfseq.models.image import Tensor
from tfseq.models.lowering import Lowered
from tfseq.native import inference, losses, recorded, trained
from tfseq.traced_once import TracedOnce


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


class NativelyTrained(TracedOnce, Lowered):
    """A lowered model that is trained and measured by own kernels, on one processor.

    They are operations of TensorFlow, batch by batch, whatever is asked of `compile`. Evaluation
    does without TensorFlow (`tfseq.native.inference`).

    Args:
        model: As for `Lowered`.
    """

    on_one_thread = True

    def __init__(self, model: keras.Model) -> None:
        super().__init__(model)
        self._inference = self._read_weights

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, *, metrics: Any = None, **settings: Any
    ) -> None:
        """Compiles it, see Keras, with kernels for those losses and metrics that have them."""
        metrics = [losses.by_kernel(metric) for metric in metrics or ()]
        super().compile(optimizer, losses.by_kernel(loss), metrics=metrics, **settings)

    def call(self, waveform: Tensor, training: bool = False) -> Tensor:
        """Computes the model's output."""
        if not training:
            return self._label(waveform)
        try:
            layout = trained.layout(first_wanted=_begins_with_weights(self.plain))
            return self.compute(layout, waveform, training=True)
        except recorded.NotKnownError:
            return super().call(waveform, training=True)

    def make_test_function(self, force: bool = False) -> None:
        """Makes what takes a batch of an iterator and measures it."""
        self.test_function = lambda iterator: self.test_step(next(iterator))

    def evaluate(self, *arguments: Any, **settings: Any) -> Any:
        """Measures the model, see Keras; its weights are read once."""
        # At the first batch: callbacks may put averages in their place before.
        self._inference = functools.cache(self._read_weights)
        try:
            return super().evaluate(*arguments, **settings)
        finally:
            self._inference = self._read_weights

    def _read_weights(self) -> inference.NativeInference | None:
        return inference.inference(self.plain)

    def _label(self, waveform: Tensor) -> Tensor:
        if not tf.executing_eagerly():
            return self.plain(waveform, training=False)  # such as for its shape
        infer = self._inference()
        # An array of the same memory; `numpy()` copies it.
        labels = infer(np.asarray(waveform)) if infer else None
        # Layers that the kernels do not know, and what is not finite, are left to TensorFlow.
        return super().call(waveform) if labels is None else tf.constant(labels)
