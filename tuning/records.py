"""The records of a data set, read once into memory for all trials of a process."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from tfseq import datasets, record_integrity, record_salvage
from tfseq.errors import UserError
from tfseq.example_gen import Split
from tfseq.tuning import distribution


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Records(Split):
    """A split, or some records of one, in memory.

    TensorFlow never lets go what a pipeline of records was made of. So all pipelines of all trials
    are made of the same tensors, and the records of one are places in them.

    Attributes:
        held: All (waveforms, labels): (held, channels, steps) and (held, steps) float32.
        places: (records,) where these records are among them.
        ids: (records,) the record_id of each.
        groups: (records,) the group of each, such as the subject.
    """

    held: tuple[tf.Tensor, tf.Tensor]
    places: np.ndarray
    ids: np.ndarray
    groups: np.ndarray

    @classmethod
    def read(cls, split: Split) -> "Records":
        """Reads a split from disk."""
        with tf.device("CPU"):
            examples = split.examples().batch(split.num_records).get_single_element()
        return cls(
            split.builder,
            split.name,
            held=(examples["waveform"], examples["label"]),
            places=np.arange(split.num_records),
            ids=_texts(examples["record_id"]),
            groups=_texts(examples["group"]),
        )

    def __post_init__(self) -> None:
        """Asks nothing of the builder: the split was there to be read."""

    @property
    def num_records(self) -> int:
        """How many records there are."""
        return len(self.places)

    @property
    def labels(self) -> np.ndarray:
        """(records, steps) float32."""
        return self.held[1].numpy()[self.places]

    @property
    def waveform_shape(self) -> tuple[int, int]:
        """(channels, steps) of a waveform."""
        return tuple(self.held[0].shape[1:])

    def records(self) -> tf.data.Dataset:
        """Returns (waveform, label) record by record."""
        return tf.data.Dataset.range(self.num_records).map(self.lookup())

    def stored(self) -> None:
        """Returns None: the records are in memory."""

    def in_memory(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns (waveforms, labels), a copy."""
        with tf.device("CPU"):
            return self.lookup()(tf.range(self.num_records))

    def lookup(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """Returns a function from places among these records to (waveforms, labels)."""
        waveforms, labels = self.held
        with tf.device("CPU"):
            places = tf.constant(self.places)

        def gather(chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            held = tf.gather(places, chosen)
            return tf.gather(waveforms, held), tf.gather(labels, held)

        return gather

    def take(self, chosen: Sequence[int]) -> "Records":
        """Returns some of these records."""
        return dataclasses.replace(
            self,
            places=self.places[chosen],
            ids=self.ids[chosen],
            groups=self.groups[chosen],
        )

    def joined_with(self, other: "Records") -> "Records":
        """Returns these records and then those of another split."""
        with tf.device("CPU"):
            waveforms, labels = (
                tf.concat(pair, 0) for pair in zip(self.held, other.held, strict=True)
            )
        return dataclasses.replace(
            self,
            held=(waveforms, labels),
            places=np.concatenate([self.places, len(self.held[0]) + other.places]),
            ids=np.concatenate([self.ids, other.ids]),
            groups=np.concatenate([self.groups, other.groups]),
        )


def _texts(values: tf.Tensor) -> np.ndarray:
    return np.array([value.decode() for value in values.numpy()])


class Data:
    """The training and validation records of a data set; read when they are first asked for.

    Args:
        settings: The data set: `name`, and its own settings.
        train_split: The records to learn from, as TFDS spells a split.
        validation_split: The records to measure on.
        data_dir: Where built data sets are kept.
        manual_dir: The folder of the raw files, for the data sets that are made from some.
        salvaged: The folder for a data set without its damaged records; None refuses those.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        train_split: str,
        validation_split: str,
        *,
        data_dir: str | Path | None = None,
        manual_dir: str | Path | None = None,
        salvaged: Path | None = None,
    ) -> None:
        self._settings = settings
        self._splits = train_split, validation_split
        self._folders = {"data_dir": data_dir, "manual_dir": manual_dir}
        self._salvaged = salvaged

    @classmethod
    def of(cls, config: ConfigDict, workdir: Path, **folders: str | Path | None) -> "Data":
        """Returns the records that settings name.

        Args:
            config: The settings.
            workdir: Gets salvaged/, if damaged records are to be left out.
            **folders: Those of the constructor.
        """
        splits = config.data.train_split, config.data.validation_split
        skips = config.data.on_corrupt == "skip"
        # Of several processes each writes its own.
        salvaged = workdir / "salvaged" / distribution.name() if skips else None
        return cls(config.dataset.to_dict(), *splits, salvaged=salvaged, **folders)

    @classmethod
    def of_splits(cls, training: Split, validation: Split) -> "Data":
        """Returns the records of two splits that are there."""
        data = cls({}, training.name, validation.name)
        data.whole = Records.read(training), Records.read(validation)
        return data

    @functools.cached_property
    def whole(self) -> tuple[Records, Records]:
        """The training and the validation records.

        Raises:
            UserError: If the data set or a split is not as expected, or a record is damaged.
        """
        builder = datasets.load(**self._settings, **self._folders)
        if self._salvaged:
            builder = record_salvage.salvaged(builder, self._salvaged)
        with record_integrity.named(builder):
            training, validation = (Records.read(Split(builder, name)) for name in self._splits)
        return training, validation

    @functools.cached_property
    def joined(self) -> Records:
        """The training records and then the validation records.

        Raises:
            UserError: If the two splits share records.
        """
        training, validation = self.whole
        shared = np.intersect1d(training.ids, validation.ids)
        if shared.size:
            raise UserError(
                f"--config.data.train_split={self._splits[0]} and --config.data.validation_split="
                f"{self._splits[1]} share {shared.size} records, such as {shared[0]}"
            )
        return training.joined_with(validation)

    def divided(self, held_out: int | Sequence[str] | None, seed: int) -> tuple[Records, Records]:
        """Returns the records to learn from and those to measure on.

        Args:
            held_out: How many records of the training split to measure on, or the groups of both
                splits whose records to measure on; the others are learned from. None takes the
                splits as they are.
            seed: Which records, of a number. Those of a smaller one are among those of a larger.
        """
        training, validation = self.whole
        if held_out is None:
            return training, validation
        if isinstance(held_out, int):
            order = np.random.default_rng(seed).permutation(training.num_records)
            return training.take(np.sort(order[held_out:])), training.take(order[:held_out])
        inside = np.isin(self.joined.groups, held_out)
        return self.joined.take(np.flatnonzero(~inside)), self.joined.take(np.flatnonzero(inside))

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
    labels = measured.labels.astype(np.float64)
    mean = mean_label_errors(training, measured).mean()
    return {"zero": float(np.square(labels).mean()), "mean": float(mean)}


def mean_label_errors(training: Records, measured: Records) -> np.ndarray:
    """Returns (records,) the mean squared error of the mean training label on each record."""
    mean = training.labels.mean(dtype=np.float64)
    return np.square(measured.labels.astype(np.float64) - mean).mean(axis=1)
