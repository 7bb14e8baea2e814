"""Trains a model on one processor by a step that TensorFlow traces once.

Keras traces a model for the shapes of what it computes, and its step twice: the function of a batch
is called by one of an iterator, and TensorFlow traces a function that is first called by another
once more. For the thousands of operations of `seqnet` that takes longer than training with dozens
of batches.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class TracedOnce(keras.Model):
    """Trains another model's weights.

    Attributes:
        plain: The model that has them, functional; a subclass sets it.
        on_one_thread: Whether one of TensorFlow's threads goes through the operations of a step.
            Of several, those that have nothing to do would look for work, on processors that the
            threads of own kernels then wait for. What branches has to be traced for it.
    """

    plain: keras.Model
    on_one_thread = False

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
        if force or not self.train_function:
            self.train_function = self._of_iterator(self.train_step)

    def make_test_function(self, force: bool = False) -> None:
        """Makes what takes a batch of an iterator and measures it."""
        if force or not self.test_function:
            self.test_function = self._of_iterator(self.test_step)

    def _of_iterator(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def of_data(data: Any) -> Any:
            return self.distribute_strategy.run(step, args=(data,))

        of_batch = tf.function(of_data, autograph=False, reduce_retracing=True)
        of_next = tf.function(lambda iterator: of_data(next(iterator)), autograph=False)

        def call(iterator: Any) -> Any:
            with self._executor():
                # Python's is a single batch: `train_on_batch`.
                if not isinstance(iterator, tf.data.Iterator):
                    return of_batch(next(iterator))
                try:
                    return of_next(iterator)
                except tf.errors.OutOfRangeError:
                    raise StopIteration from None  # as Keras has it

        return call

    def _executor(self) -> contextlib.AbstractContextManager:
        if not self.on_one_thread:
            return contextlib.nullcontext()
        return tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR")


class AsItIs(TracedOnce):
    """A model that is trained and measured in its own layers.

    Args:
        model: A functional model with one input and one output.
    """

    def __init__(self, model: keras.Model) -> None:
        # Keras would round the input to 16 bits, as mixed precision has it, before any layer.
        super().__init__(name=model.name, dtype="float32")
        self.plain = model
        self.built = True

    def call(self, waveform: Any, training: bool = False) -> Any:
        """Computes the model's output."""
        return self.plain(waveform, training=training)
