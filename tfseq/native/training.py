"""Trains a model on a processor with kernels of tfseq's own."""

import functools
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfseq.models import line_rules
from tfseq.models.image import Tensor
from tfseq.models.lowering import Lowered
from tfseq.native import inference, recorded, trained


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
    """A lowered model that is trained and measured by own kernels.

    XLA has to know the size of a batch to call a kernel (`tfseq.native.trained`), and a data set
    does not say it, since its last batch may be smaller. So each batch is taken by Python, and
    steps are compiled for the sizes that come: `compile` with `run_eagerly`. Evaluation needs no
    compiling (`tfseq.native.inference`). Train it by `fit` or `train_on_batch` alone.

    Args:
        model: As for `Lowered`.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(model)
        self._compiled_step = tf.function(super().train_step, jit_compile=True, autograph=False)
        self._inference = self._read_weights

    def call(self, waveform: Tensor, training: bool = False) -> Tensor:
        """Computes the model's output."""
        if not training:
            return self._label(waveform)
        try:
            layout = trained.layout(first_wanted=_begins_with_weights(self.plain))
            return self.compute(layout, waveform, training=True)
        except recorded.NotKnownError:
            return super().call(waveform, training=True)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Trains on a batch, and returns the metrics."""
        return self._compiled_step(data)

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
        infer = self._inference() if tf.executing_eagerly() else None
        labels = infer(waveform.numpy()) if infer else None
        # Layers that the kernels do not know, and what is not finite, are left to TensorFlow.
        return super().call(waveform) if labels is None else tf.constant(labels)
