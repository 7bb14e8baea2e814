"""The running average of the weights, which is measured, kept and exported in their place.

Weights that still move about a minimum average to a better one (Polyak and Juditsky, 1992,
"Acceleration of stochastic approximation by averaging"). The optimizer keeps the averages beside
its other variables, so that checkpoints hold them; training goes on with the weights themselves.
What batch normalization measures is an average already, and stays.
"""

import contextlib
from collections.abc import Iterator

import keras

from tfseq import optimizers


def is_used(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether an optimizer averages the weights that it updates."""
    return optimizers.beneath_loss_scaling(optimizer).use_ema


def leave_to_callbacks(optimizer: keras.optimizers.Optimizer) -> None:
    """Keeps `fit` from putting the averages in the weights' place when it ends.

    A run that goes on within an epoch takes two calls of `fit`, and would go on with the averages.
    """
    optimizer.finalize_variable_values = lambda variables: None


@contextlib.contextmanager
def averages(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Has the averages in the place of the weights for as long as the block runs, if there are any.

    Keras's SwapEMAWeights swaps by sums and differences, which leaves weights that are rounded.
    """
    _swap(optimizer)
    try:
        yield
    finally:
        _swap(optimizer)


class MeasureAverages(keras.callbacks.Callback):
    """Has validation measure the averages, if there are any."""

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Puts the averages in the place of the weights."""
        _swap(self.model.optimizer)

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Puts the weights back."""
        _swap(self.model.optimizer)


def _swap(optimizer: keras.optimizers.Optimizer) -> None:
    inner = optimizers.beneath_loss_scaling(optimizer)
    if not inner.use_ema:
        return
    # Not public, but what Keras's own callback swaps.
    pairs = zip(inner._trainable_variables, inner._model_variables_moving_average, strict=True)
    for weight, average in pairs:
        kept = keras.ops.convert_to_numpy(weight)
        weight.assign(average)
        average.assign(kept)
