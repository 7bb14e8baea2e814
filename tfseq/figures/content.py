"""What the figures are drawn from: arrays with their names."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Names:
    """What the axes of a data set's figures are called.

    Attributes:
        channels: One name a channel.
        waveform: Quantity and unit of the waveform.
        label: Quantity and unit of the label.
        time: What a step is.
    """

    channels: tuple[str, ...]
    waveform: str = "waveform (unitless)"
    label: str = "label (unitless)"
    time: str = "step"


@dataclasses.dataclass(frozen=True)
class Record:
    """A record: `waveform` (channels, steps) and `label` (steps,), float32.

    Attributes:
        source: Data set and split.
        title: Position and identity.
        group: What it belongs to, such as a subject.
    """

    source: str
    title: str
    group: str
    waveform: np.ndarray
    label: np.ndarray

    @property
    def where(self) -> str:
        """Source and title, for a figure that shows one record."""
        return f"{self.source}, {self.title}"


@dataclasses.dataclass(frozen=True)
class ThinnedLabels:
    """The labels of a split, at most 20000 records by 500 steps of them: 40 MB.

    The steps kept are every n-th, the records every m-th; quantiles at the steps kept are those of
    the records kept, not an estimate.

    Attributes:
        values: (records kept, steps kept), float32.
        steps: Indices of the steps kept.
        num_records: How many records the split has.
    """

    values: np.ndarray
    steps: np.ndarray
    num_records: int


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A record beside what a model says about it.

    Attributes:
        title: Which record of the split it is, such as the best.
        record: Waveform and true label.
        predicted: (steps,) float32.
        mse: Mean squared error over the steps.
    """

    title: str
    record: Record
    predicted: np.ndarray
    mse: float


@dataclasses.dataclass(frozen=True)
class Errors:
    """Squared errors of a model on a split, averaged in two ways, float64.

    Attributes:
        by_step: (steps,): mean over the records.
        by_record: (records,): mean over the steps.
        groups: The group of each record.
    """

    by_step: np.ndarray
    by_record: np.ndarray
    groups: tuple[str, ...]
