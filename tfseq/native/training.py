"""Trains a model on a processor with kernels of tfseq's own."""

import contextlib
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


def _on_one_thread() -> contextlib.AbstractContextManager:
    """Has functions traced and called on one of TensorFlow's threads.

    Of several, those that have nothing to do would look for work, on processors that the kernels'
    threads then wait for. What branches has to be traced for it.
    """
    return tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR")


class NativelyTrained(Lowered):
    """A lowered model that is trained and measured by own kernels, on one processor.

    They are operations of TensorFlow, batch by batch, whatever is asked of `compile`. Evaluation
    does without TensorFlow (`tfseq.native.inference`).

    Args:
        model: As for `Lowered`.
    """

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

    def _maybe_symbolic_build(self, **_: Any) -> None:
        """Builds what is compiled by the shape of the output.

        Keras's takes a batch, which has to be read, and traces the model for it, in every `fit` and
        in every validation anew.
        """
        output = self.plain.output
        with self.distribute_strategy.scope():
            for compiled in (self._compile_loss, self._compile_metrics):
                if compiled is not None and not compiled.built:
                    compiled.build(output, output)
            self._symbolic_build()  # the optimizer alone is left

    def make_train_function(self, force: bool = False) -> None:
        """Makes what takes a batch of an iterator and a step with it.

        Keras's goes by way of a distribution strategy in every step, a millisecond or two; here
        it is there as the step is traced.
        """
        if self.train_function and not force:
            return

        def step(data: Any) -> dict[str, Tensor]:
            return self.distribute_strategy.run(self.train_step, args=(data,))

        of_batch = tf.function(step, autograph=False, reduce_retracing=True)
        of_next = tf.function(lambda iterator: step(next(iterator)), autograph=False)

        def train(iterator: Any) -> dict[str, Tensor]:
            with _on_one_thread():
                # Python's is a single batch: `train_on_batch`.
                of_data_set = isinstance(iterator, tf.data.Iterator)
                return of_next(iterator) if of_data_set else of_batch(next(iterator))

        self.train_function = train

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
