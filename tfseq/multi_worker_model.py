"""A model that several workers train in step, each on its share of every batch.

What the workers compute together is what one process computes: losses and gradients are sums over
the records of the whole batch, divided by their number, however they are shared out.

Keras 3.15 cannot do this by itself (keras issue 20585): before the first step it averages batches
as if they were weights, and it averages the metrics of a step along an axis that they do not have.
It also clips gradients before it sums them, and takes the mean of the workers' means, which is
another number where shares differ in size. `Shared` brings the step, and what calls it, itself, so
that a version that has mended the two errors needs nothing undone. Of what is not public it
replaces three methods, of this model, its optimizer and its batch normalizations.
"""

import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

WeightedBatch = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
"""waveform (share, channels, steps), label (share, steps) and weight (share,), of one replica.

The weight is 1, or 0 for a record that only fills a share that would be empty: oneDNN's convolution
of no records has the wrong shape (TF 2.21).
"""


class Shared(keras.Model):
    """A model, to be fitted by all workers of a `tf.distribute.MultiWorkerMirroredStrategy`.

    Made within the strategy's scope.

    Args:
        model: A compiled model with one input and one output.
        loss: Name of the loss, a mean over a record's steps.
        metrics: Names of what is measured besides, of the same kind.
    """

    def __init__(self, model: keras.Model, loss: str, metrics: list[str]) -> None:
        super().__init__(name=model.name)
        self.plain = model
        self.built = True
        self._errors = [keras.losses.get(name) for name in (loss, *metrics)]
        self._means = [keras.metrics.Mean(name) for name in ("loss", *metrics)]
        super().compile(optimizer=model.optimizer, loss=loss, jit_compile=False)
        model.optimizer.build(model.trainable_variables)
        # Not public: the step has summed them, before they are clipped.
        model.optimizer._all_reduce_sum_gradients = lambda pairs: pairs
        self._now = threading.local()  # a worker's replicas are traced by a thread each
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer._moments = self._moments  # not public: what it normalizes by

    def call(self, waveform: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Computes the model's output."""
        return self.plain(waveform, training=training)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The loss, and what is measured besides."""
        return self._means

    @property
    def metrics_variables(self) -> list["_OnThisWorker"]:
        """What the metrics have summed up, the same on all workers."""
        return [_OnThisWorker(each) for mean in self._means for each in mean.variables]

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """Returns nothing, so that `fit` reports what the last step returned.

        To read the metrics outside of a step would sum them over the workers once more.
        """
        return {}

    def train_step(self, data: WeightedBatch) -> dict[str, tf.Tensor]:
        """Updates the weights by one batch, of which `data` is this replica's share.

        Returns:
            The means since the epoch began, over the records of all replicas.
        """
        waveform, label, self._now.weight = data
        with tf.GradientTape() as tape:
            sums = self._sums(label, self(waveform, training=True))
            loss = sums[0]
        weights = self.trainable_weights
        gradients = tape.gradient(loss, weights)
        *gradients, sums = _total([*gradients, sums])
        records = sums[-1]
        self.optimizer.apply_gradients(
            zip([gradient / records for gradient in gradients], weights, strict=True)
        )
        return self._measured(sums)

    def test_step(self, data: WeightedBatch) -> dict[str, tf.Tensor]:
        """Measures one batch; see `train_step`."""
        waveform, label, self._now.weight = data
        return self._measured(_total(self._sums(label, self(waveform, training=False))))

    def make_train_function(self, force: bool = False) -> Callable[..., Any]:
        """Returns what takes one step with a batch of an iterator."""
        if self.train_function is None or force:
            self.train_function = self._on_replicas(self.train_step)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable[..., Any]:
        """Returns what measures a batch of an iterator."""
        if self.test_function is None or force:
            self.test_function = self._on_replicas(self.test_step)
        return self.test_function

    def _on_replicas(
        self, step: Callable[[WeightedBatch], dict[str, tf.Tensor]]
    ) -> Callable[..., Any]:
        strategy = self.distribute_strategy

        @tf.function(reduce_retracing=True)
        def on_replicas(iterator: Any) -> dict[str, tf.Tensor]:
            measured = strategy.run(step, args=(next(iterator),))
            # All replicas have the same.
            return {
                name: strategy.experimental_local_results(value)[0]
                for name, value in measured.items()
            }

        return on_replicas

    def _sums(self, label: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        """Returns the sum over records of each error, and their number."""
        predicted, weight = tf.cast(predicted, label.dtype), self._now.weight
        sums = [tf.reduce_sum(weight * error(label, predicted)) for error in self._errors]
        return tf.stack([*sums, tf.reduce_sum(weight)])

    def _moments(self, x: tf.Tensor, mask: None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean and variance of each channel, the last axis, over the whole batch.

        The mean comes first, then the mean square of what is left: the difference of two large
        numbers, which Keras's synchronized normalization takes, would lose digits.
        """
        axes = list(range(x.shape.rank - 1))
        weight = tf.reshape(self._now.weight, [-1, *[1] * len(axes)])
        values = tf.size(x[..., 0], out_type=tf.int32) // tf.shape(x)[0]
        count = tf.reduce_sum(weight) * tf.cast(values, x.dtype)
        total, count = _total([tf.reduce_sum(weight * x, axes), count])
        mean = total / count
        return mean, _total(tf.reduce_sum(weight * tf.square(x - mean), axes)) / count

    def _measured(self, sums: tf.Tensor) -> dict[str, tf.Tensor]:
        *errors, records = tf.unstack(sums)
        for mean, error in zip(self._means, errors, strict=True):
            mean.update_state(error / records, sample_weight=records)
        return {mean.name: mean.result() for mean in self._means}

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Builds nothing: all is built. This is where Keras 3.15 averages batches."""


class _OnThisWorker:
    """A variable of a metric as this worker has it, read and written without the others."""

    def __init__(self, variable: keras.Variable) -> None:
        self._copies = variable.value.values

    def numpy(self) -> np.ndarray:
        return self._copies[0].numpy()

    def assign(self, value: np.ndarray) -> None:
        for copy in self._copies:
            copy.assign(value)


def _total(values: Any) -> Any:
    """Returns the sums of tensors over all replicas, in one collective operation."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)
