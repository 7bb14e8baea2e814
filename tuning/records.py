"""The records of a data set, read once into memory for all trials of a process."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfseq import datasets
from tfseq.errors import UserError
from tfseq.example_gen import Split


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Records(Split):
    """A split, or some records of one, in memory.

    Attributes:
        waveforms: (records, channels, steps) float32.
        labels: (records, steps) float32.
    """

    waveforms: tf.Tensor
    labels: tf.Tensor

    @classmethod
    def read(cls, split: Split) -> "Records":
        """Reads a split from disk."""
        waveforms, labels = split.tensors()
        return cls(split.builder, split.name, waveforms=waveforms, labels=labels)

    def __post_init__(self) -> None:
        """Asks nothing of the builder: the split was there to be read."""

    @property
    def num_records(self) -> int:
        """How many records there are."""
        return len(self.labels)

    @property
    def waveform_shape(self) -> tuple[int, int]:
        """(channels, steps) of a waveform."""
        return tuple(self.waveforms.shape[1:])

    def records(self) -> tf.data.Dataset:
        """Returns (waveform, label) record by record."""
        with tf.device("CPU"):
            return tf.data.Dataset.from_tensor_slices((self.waveforms, self.labels))

    def tensors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the records without a copy: TensorFlow never lets those of a pipeline go."""
        return self.waveforms, self.labels

    def take(self, places: Sequence[int]) -> "Records":
        """Returns the records at some places."""
        with tf.device("CPU"):
            waveforms, labels = (tf.gather(each, places) for each in (self.waveforms, self.labels))
        return dataclasses.replace(self, waveforms=waveforms, labels=labels)


class Data:
    """The training and validation records of a data set; read when they are first asked for.

    Args:
        settings: The data set: `name`, and its own settings.
        train_split: The records to learn from, as TFDS spells a split.
        validation_split: The records to measure on.
        data_dir: Where built data sets are kept.
        manual_dir: The folder of the raw files, for the data sets that are made from some.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        train_split: str,
        validation_split: str,
        *,
        data_dir: str | Path | None = None,
        manual_dir: str | Path | None = None,
    ) -> None:
        self._settings = settings
        self._splits = train_split, validation_split
        self._folders = {"data_dir": data_dir, "manual_dir": manual_dir}

    @classmethod
    def of(cls, training: Split, validation: Split) -> "Data":
        """Returns the records of two splits that are there."""
        data = cls({}, training.name, validation.name)
        data.whole = Records.read(training), Records.read(validation)
        return data

    @functools.cached_property
    def whole(self) -> tuple[Records, Records]:
        """The training and the validation records.

        Raises:
            UserError: If the data set or a split is not as expected.
        """
        builder = datasets.load(**self._settings, **self._folders)
        training, validation = (Records.read(Split(builder, name)) for name in self._splits)
        return training, validation

    def divided(self, held_out: int | None, seed: int) -> tuple[Records, Records]:
        """Returns the records to learn from and those to measure on.

        Args:
            held_out: Records of the training split to hold out; None takes the validation split.
            seed: Which ones. Those of a smaller number are among those of a larger.

        """
        training, validation = self.whole
        if held_out is None:
            return training, validation
        order = np.random.default_rng(seed).permutation(training.num_records)
        return training.take(np.sort(order[held_out:])), training.take(order[:held_out])

    def check(self, held_out: int) -> None:
        """Refuses to hold out all records, or more.

        Raises:
            UserError: If that leaves nothing to learn from.
        """
        count = self.whole[0].num_records
        if held_out >= count:
            raise UserError(
                f"cannot hold out {held_out} of {count} training records: expected --sizes, or a "
                "--config.data.train_split, that leave some to learn from"
            )


def levels(training: Records, measured: Records) -> dict[str, float]:
    """Returns the mean squared error of "zero" and of the "mean" training label on some records."""
    labels = measured.labels.numpy().astype(np.float64)
    mean = training.labels.numpy().mean(dtype=np.float64)
    return {"zero": float(np.square(labels).mean()), "mean": float(np.square(labels - mean).mean())}
