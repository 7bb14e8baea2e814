"""What happens to a waveform before the network sees it, as part of the model graph.

Being layers, the steps are exported with the model: a server needs the raw waveform alone.
"""

from typing import TYPE_CHECKING

import keras
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

Scaling = tuple[tuple[float, ...], tuple[float, ...]]
"""The mean and the variance of every channel."""


def fit_scaling(waveforms: "Iterable[np.ndarray]") -> Scaling:
    """Returns the mean and variance of every channel over batches of waveforms.

    Args:
        waveforms: Batches (batch, channels, steps).
    """
    count, total, squares = 0, 0.0, 0.0
    for batch in waveforms:
        values = np.asarray(batch, np.float64)
        count += values.shape[0] * values.shape[2]
        total = total + values.sum(axis=(0, 2))
        squares = squares + np.square(values).sum(axis=(0, 2))
    mean = total / count
    return tuple(mean.tolist()), tuple((squares / count - mean**2).tolist())


def standardize(waveform: keras.KerasTensor, scaling: Scaling) -> keras.KerasTensor:
    """Gives every channel mean 0 and variance 1.

    Args:
        waveform: (batch, channels, steps).
        scaling: What `fit_scaling` returned for the training records.

    Returns:
        A tensor of the same shape.
    """
    mean, variance = scaling
    return keras.layers.Normalization(axis=1, mean=mean, variance=variance, name="standardize")(
        waveform
    )
