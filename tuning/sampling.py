"""Losses by the size of the test set, and how much of their spread is sampling error alone.

A loss on few records differs from that on many though the model is the same. How far is measured by
the bootstrap: as many records as a small test set has are drawn, again and again and with
replacement, from the largest test set of a seed, whose losses are known record by record.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfseq.tuning import verdicts
from tfseq.tuning.study import FINAL, FINAL_TRAINING, Study

_DRAWS = 2000


@dataclasses.dataclass(frozen=True)
class SampleSizes:
    """What the trials of a sample-size study say.

    Attributes:
        sizes: (sizes,) records of the test sets.
        training: (sizes, seeds) training loss of the last epoch.
        validation: (sizes, seeds) loss on the test set after it; infinite where a trial diverged.
        large: Records of the test set that the bootstrap drew from.
        low: (sizes,) 2.5 % quantile of the loss that sampling error alone leaves, mean over seeds.
        high: (sizes,) 97.5 % quantile.
        sampling_deviation: (sizes,) standard deviation of the loss by sampling error alone.
    """

    sizes: np.ndarray
    training: np.ndarray
    validation: np.ndarray
    large: int
    low: np.ndarray
    high: np.ndarray
    sampling_deviation: np.ndarray

    @property
    def deviation(self) -> np.ndarray:
        """(sizes,) standard deviation of the validation loss over seeds; NaN if there is one."""
        spread = np.where(np.isfinite(self.validation), self.validation, np.nan)
        if spread.shape[1] < 2:
            return np.full(len(self.sizes), np.nan)
        return np.std(spread, axis=1, ddof=1)

    def to_json(self) -> dict[str, Any]:
        """Returns the numbers by name; None for those that are not finite."""
        rows = []
        for place, size in enumerate(self.sizes.tolist()):
            rows.append(
                {
                    "size": size,
                    "training_loss": _json(self.training[place]),
                    "validation_loss": _json(self.validation[place]),
                    "standard_deviation": _json(self.deviation[place]),
                    "sampling_error": {
                        "standard_deviation": _json(self.sampling_deviation[place]),
                        "low": _json(self.low[place]),
                        "high": _json(self.high[place]),
                    },
                }
            )
        return {"bootstrap": {"records": self.large, "draws": _DRAWS}, "sizes": rows}

    def table(self) -> str:
        """Returns the losses and their spread as text."""
        lines = [f"{'size':>6}{'training':>12}{'validation':>12}{'deviation':>12}{'sampling':>12}"]
        for place, size in enumerate(self.sizes):
            values = (
                self.training[place].mean(),
                self.validation[place].mean(),
                self.deviation[place],
                self.sampling_deviation[place],
            )
            lines.append(f"{size:>6}" + "".join(f"{value:>12.4g}" for value in values))
        return "\n".join(lines)


def summarize(study: Study, rows: Sequence[Mapping[str, Any]]) -> SampleSizes:
    """Returns what the trials say of all sizes, with the seeds that each size was run with.

    Args:
        study: A sample-size study.
        rows: Its results; at least one seed has all sizes that there are results of.
    """
    training, validation = (
        verdicts.losses(study, rows, metric) for metric in (FINAL_TRAINING, FINAL)
    )
    sizes = np.array([int(label) for label in validation])
    large = str(sizes.max())
    samples = [
        np.array(row["record_losses"])
        for row in rows
        if row["arm"] == large and not row["diverged"]
    ]
    drawn = [bootstrap(losses, sizes.tolist()) for losses in samples]
    if drawn:
        deviation, low, high = np.mean(drawn, axis=0)
    else:
        deviation = low = high = np.full(len(sizes), np.nan)
    return SampleSizes(
        sizes,
        np.array(list(training.values())),
        np.array(list(validation.values())),
        int(large),
        low,
        high,
        deviation,
    )


def bootstrap(losses: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Returns how the mean of some records' losses spreads by the choice of the records alone.

    Args:
        losses: (records,).
        sizes: Records of each choice.

    Returns:
        (3, sizes): standard deviation, 2.5 % and 97.5 % quantile of the means.
    """
    random = np.random.default_rng(0)
    means = [
        random.choice(losses, size=(_DRAWS, size), replace=True).mean(axis=1) for size in sizes
    ]
    return np.array(
        [np.std(means, axis=1), *np.quantile(means, (0.025, 0.975), axis=1)], dtype=np.float64
    )


def _json(values: np.ndarray) -> Any:
    """Returns numbers as JSON can hold them."""
    if np.ndim(values):
        return [_json(value) for value in values]
    return round(float(values), 6) if np.isfinite(values) else None
