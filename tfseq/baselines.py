"""What predictors that need no training by gradient reach: the yardstick for every model.

All are fitted to the training records in one pass, in float64.
"""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

Predictor = Callable[[np.ndarray], np.ndarray]
"""Maps waveforms (batch, channels, steps) to labels that broadcast to (batch, steps)."""

TITLES = {
    "zero": "predict zero",
    "mean": "predict the mean",
    "step_mean": "mean of each step",
    "linear": "linear, step by step",
}
"""What tables call the baselines, by the names that `fit` gives them."""


@dataclasses.dataclass
class _Sums:
    """Sums over records and steps, from which every baseline follows."""

    records: int
    by_step: np.ndarray
    gram: np.ndarray
    moment: np.ndarray


def fit(batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, Predictor]:
    """Fits the baselines.

    Args:
        batches: The training records: waveforms (batch, channels, steps), labels (batch, steps).

    Returns:
        By name: `zero` predicts 0; `mean` the mean label; `step_mean` the mean label of each step;
        `linear` the least-squares line through all channels of the same step.
    """
    sums = _accumulate(batches)
    step_mean = sums.by_step / sums.records
    # Channels may be copies of each other, so that the normal equations have no unique solution.
    weights = np.linalg.lstsq(sums.gram, sums.moment, rcond=None)[0]

    def linear(waveforms: np.ndarray) -> np.ndarray:
        return np.tensordot(weights[:-1], waveforms.astype(np.float64), (0, 1)) + weights[-1]

    return {
        "zero": lambda _: np.zeros(1),
        "mean": lambda _: np.full(1, step_mean.mean()),
        "step_mean": lambda _: step_mean,
        "linear": linear,
    }


def _accumulate(batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> _Sums:
    sums = _Sums(0, np.zeros(1), np.zeros(1), np.zeros(1))
    for waveforms, labels in batches:
        channels = np.moveaxis(waveforms.astype(np.float64), 1, 0).reshape(waveforms.shape[1], -1)
        inputs = np.concatenate([channels, np.ones((1, channels.shape[1]))])
        sums.records += len(labels)
        sums.by_step = sums.by_step + labels.sum(axis=0, dtype=np.float64)
        sums.gram = sums.gram + inputs @ inputs.T
        sums.moment = sums.moment + inputs @ labels.reshape(-1).astype(np.float64)
    return sums
