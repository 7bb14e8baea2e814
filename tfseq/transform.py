"""What happens to a waveform before the network sees it, as part of the model graph.

Being layers, the steps are exported with the model: a server needs the raw waveform alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from tfseq.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

Scaling = tuple[tuple[float, ...], tuple[float, ...]]
"""The mean and the variance of every channel."""

LabelScaling = tuple[float, float]
"""The mean and the variance of the labels."""


def fit_scaling(
    batches: "Iterable[tuple[np.ndarray, np.ndarray]]",
) -> tuple[Scaling, LabelScaling]:
    """Returns mean and variance of every channel and of the labels, over all records and steps.

    Args:
        batches: Waveforms (batch, channels, steps) and labels (batch, steps), at least one of each.
    """
    count, total, squares, shift = 0, 0.0, 0.0, None
    for waveform, label in batches:
        values = np.concatenate([waveform, label[:, np.newaxis]], axis=1, dtype=np.float64)
        # About a value of the channel: one that is constant has a variance of exactly 0.
        shift = values[:1, :, :1] if shift is None else shift
        values = values - shift
        count += values.shape[0] * values.shape[2]
        total = total + values.sum(axis=(0, 2))
        squares = squares + np.square(values).sum(axis=(0, 2))
    mean = total / count
    variances = np.maximum(squares / count - mean**2, 0.0).tolist()
    means = (shift.ravel() + mean).tolist()
    return (tuple(means[:-1]), tuple(variances[:-1])), (means[-1], variances[-1])


def in_unit(computed: keras.KerasTensor, scaling: LabelScaling | None) -> keras.KerasTensor:
    """Returns the label for what a network computes, float32 whatever precision that has.

    Args:
        computed: (batch, steps).
        scaling: What `fit_scaling` returned for the training records: the network then computes
            labels of mean 0 and variance 1, so that what trains it does not depend on their unit;
            None leaves it.
    """
    settings = {"dtype": "float32", "name": "label"}
    if scaling is None:
        return keras.layers.Identity(**settings)(computed)
    mean, variance = scaling
    return keras.layers.Rescaling(variance**0.5 or 1.0, offset=mean, **settings)(computed)


VIEWS = ("waveform", "normalized", "rectified", "log_envelope", "log_gain")
"""What a network can be shown of a channel."""

_ENVELOPE_STEPS = 16
_TINY = 1e-4  # of a variance of 1: what silence is lifted to before its logarithm is taken


def features(
    waveform: keras.KerasTensor, scaling: Scaling | None, views: Sequence[str] = ("waveform",)
) -> keras.KerasTensor:
    """Returns what the network sees.

    Args:
        waveform: (batch, channels, steps).
        scaling: What `fit_scaling` returned for the training records, to give every channel mean 0
            and variance 1; None leaves it.
        views: Some of `VIEWS`, see `Views`.

    Returns:
        (batch, channels * views, steps).

    Raises:
        UserError: If there is no such view.
    """
    for view in views:
        if view not in VIEWS:
            raise UserError(
                f"--config.transform.views: there is no {view!r}; there are {', '.join(VIEWS)}"
            )
    if scaling is not None:
        mean, variance = scaling
        normalization = keras.layers.Normalization(
            axis=1, mean=mean, variance=variance, name="standardize"
        )
        waveform = normalization(waveform)
    return waveform if tuple(views) == ("waveform",) else Views(views, name="views")(waveform)


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Returns what a model is trained on; TFX's Transform calls this.

    Nothing changes but how the records are stored: what happens to a waveform is part of the model
    (`features`), fitted to the training records.

    Args:
        inputs: Features of some records by name: waveform (records, channels, steps), label
            (records, steps), record_id and group (records,).
    """
    return dict(inputs)


@keras.saving.register_keras_serializable(package="tfseq")
class Views(keras.layers.Layer):
    """Shows a network its input in several ways, as more channels.

    - "waveform": the channel as it is.
    - "normalized": with mean 0 and variance 1 over the record, so that the gain of an electrode or
      a seismometer, which differs from record to record, falls away.
    - "rectified": the magnitude of that, as it is taken of muscle signals.
    - "log_envelope": the logarithm of its mean square over 16 steps.
    - "log_gain": the logarithm of the record's standard deviation, the same at every step: what
      normalization takes away.

    Args:
        views: Which, in that order: all channels of the first, then those of the next.
        **settings: Keras's own, of a layer.
    """

    def __init__(self, views: Sequence[str], **settings: Any) -> None:
        # Squares of small signals are beyond the range of 16 bits.
        super().__init__(**(settings | {"dtype": "float32"}))
        self._views = tuple(views)

    def call(self, waveform: Any) -> Any:
        """Returns (batch, channels * views, steps) for (batch, channels, steps)."""
        centred = waveform - ops.mean(waveform, axis=2, keepdims=True)
        deviation = ops.sqrt(ops.mean(ops.square(centred), axis=2, keepdims=True) + 1e-12)
        normalized = centred / deviation
        made = {
            "waveform": lambda: waveform,
            "normalized": lambda: normalized,
            "rectified": lambda: ops.absolute(normalized),
            "log_envelope": lambda: ops.log(_moving_mean(ops.square(normalized)) + _TINY),
            "log_gain": lambda: ops.broadcast_to(ops.log(deviation), ops.shape(waveform)),
        }
        return ops.concatenate([made[view]() for view in self._views], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Returns what a saved model keeps."""
        return {**super().get_config(), "views": self._views}


def _moving_mean(x: Any) -> Any:
    """Returns the mean of the steps around each step; fewer of them at both ends."""
    by_step = ops.transpose(x, (0, 2, 1))
    mean = ops.average_pool(by_step, _ENVELOPE_STEPS, strides=1, padding="same")
    return ops.transpose(mean, (0, 2, 1))
