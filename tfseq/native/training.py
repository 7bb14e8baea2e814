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
    does not say it, since its last batch may be smaller. So each batch is taken by Python, on one
    device, whatever is asked of `compile`, and steps are compiled for the sizes that come. Seldom
    ones have their gradients alone compiled: for the update TensorFlow's own functions are fast
    enough once an epoch, and XLA would take a second or two to compile it once more. Evaluation
    needs no compiling (`tfseq.native.inference`).

    Args:
        model: As for `Lowered`.
        batch_size: Records of most batches.
    """

    def __init__(self, model: keras.Model, batch_size: int) -> None:
        super().__init__(model)
        self._batch_size = batch_size
        compiled = functools.partial(tf.function, jit_compile=True, autograph=False)
        self._compiled_step = compiled(super().train_step)
        self._compiled_gradients = compiled(self._gradients)
        self._traced_update = tf.function(self._update, autograph=False)
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

    def make_train_function(self, force: bool = False) -> None:
        """Makes what takes a batch of an iterator and a step with it.

        Keras's goes by way of a distribution strategy, a millisecond or two a step.
        """
        self.train_function = lambda iterator: self.train_step(next(iterator))

    def make_test_function(self, force: bool = False) -> None:
        """Makes what takes a batch of an iterator and measures it."""
        self.test_function = lambda iterator: self.test_step(next(iterator))

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Trains on a batch, and returns the metrics."""
        if len(data[0]) == self._batch_size:
            return self._compiled_step(data)
        gradients, measured = self._compiled_gradients(data)
        self._traced_update(gradients)
        return measured

    def _gradients(self, data: Any) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Returns the gradients of all weights, and the metrics."""
        waveform, label, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            output = self(waveform, training=True)
            loss = self.compute_loss(waveform, label, output, weight)
            scaled = self.optimizer.scale_loss(loss)
        # The first of the metrics is the mean of the loss, which Keras leaves to a step.
        self.metrics[0].update_state(loss, sample_weight=waveform.shape[0])
        gradients = tape.gradient(scaled, self.trainable_weights)
        return gradients, self.compute_metrics(waveform, label, output, weight)

    def _update(self, gradients: list[Tensor]) -> None:
        self.optimizer.apply(gradients, self.trainable_weights)

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
