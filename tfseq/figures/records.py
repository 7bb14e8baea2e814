"""Choosing and streaming what is drawn: whole records by position, and all labels thinned."""

import dataclasses
from collections.abc import Collection

import numpy as np
import tensorflow_datasets as tfds

from tfseq.errors import UserError
from tfseq.example_gen import Split
from tfseq.figures.content import Names, Record, ThinnedLabels

_MILLISECOND_STEPS = ("emg_lower_limb", "simulated_emg")
_CHANNELS = {"emg_lower_limb": ("RF", "BF", "VM", "ST")}

_MOST_STEPS = 500
_MOST_RECORDS = 20_000


def names(builder: tfds.core.DatasetBuilder) -> Names:
    """Returns what the axes of a data set's figures are called."""
    count = builder.info.features["waveform"].shape[0]
    found = Names(_CHANNELS.get(builder.name, tuple(f"channel {n + 1}" for n in range(count))))
    if builder.name in _MILLISECOND_STEPS:
        found = dataclasses.replace(found, time="time (ms)")
    if builder.name == "emg_lower_limb":
        raw = builder.builder_config.scaling == "raw"
        unit = "mV" if raw else "standard deviations"
        found = dataclasses.replace(found, waveform=f"EMG ({unit})", label="label (units of 30°)")
    return found


def choose(text: str | None, split: Split) -> tuple[int, int]:
    """Returns the positions of the two records to draw.

    Args:
        text: Such as "0,15"; None is 0 and 15, or the last of a smaller split.
        split: Where they are.

    Raises:
        UserError: If the text is not two whole numbers, or there is no such record.
    """
    count = split.num_records
    if text is None:
        return 0, min(15, count - 1)
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UserError(f"--records: {text!r} is not two positions in the split, such as 0,15")
    first, second = (int(part) for part in parts)
    for position in (first, second):
        if position >= count:
            raise UserError(
                f"--records: there is no record {position} in {split.builder.name}, {split.name}: "
                f"it has {count}, numbered from 0"
            )
    return first, second


def read(split: Split, positions: Collection[int]) -> dict[int, Record]:
    """Returns the records at some positions of a split; reads no further than the last."""
    examples = split.examples().take(max(positions) + 1).as_numpy_iterator()
    return {
        position: _record(split, position, example)
        for position, example in enumerate(examples)
        if position in positions
    }


def sweep(split: Split, positions: Collection[int]) -> tuple[dict[int, Record], ThinnedLabels]:
    """Reads a split once, record by record.

    Returns:
        The records at the positions, and the labels of all, thinned.
    """
    num_steps = split.waveform_shape[1]
    steps = np.arange(0, num_steps, -(-num_steps // _MOST_STEPS))
    every = -(-split.num_records // _MOST_RECORDS)
    values = np.empty((-(-split.num_records // every), len(steps)), np.float32)
    found = {}
    for position, example in enumerate(split.examples().as_numpy_iterator()):
        if position in positions:
            found[position] = _record(split, position, example)
        if position % every == 0:
            values[position // every] = example["label"][steps]
    return found, ThinnedLabels(values, steps, split.num_records)


def _record(split: Split, position: int, example: dict) -> Record:
    identity = example["record_id"].decode()
    return Record(
        source=f"{split.builder.name}, {split.name}",
        title=f"record {position} ({identity})",
        group=example["group"].decode(),
        waveform=example["waveform"],
        label=example["label"],
    )
