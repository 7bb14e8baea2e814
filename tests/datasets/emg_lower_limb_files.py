"""Writes recordings in the form of the published ones, and loads the data set made of them."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

import tfseq.datasets
from tfseq import schema
from tfseq.errors import UserError

STEPS = schema.waveform_shape()[1]
HEADER = [
    "File Name: x.log",
    *(f"Channel {i}: 'M{i}', 0 values, engineering units: mV, no filters." for i in range(1, 5)),
    "Channel 5: 'FX', 0 values, engineering units: deg, no filters.",
    "",
]
FIRST_ROW = len(HEADER) + 1


def signals(seed=0, count=STEPS + 500):
    """(rows, 5): four muscles in mV and an angle in degrees that starts at its lowest."""
    random = np.random.default_rng(seed)
    muscles = random.normal(scale=0.1, size=(count, 4)).round(4)
    angle = 10 + 60 * (0.5 - 0.5 * np.cos(np.arange(count) / 300))
    return np.column_stack([muscles, angle.round(1)])


def rows(table):
    return ["\t".join(f"{value:g}" for value in row) for row in table.tolist()]


def write(folder, name, lines, header=HEADER):
    path = folder / "SEMG_DB1" / f"{name[-4]}_TXT" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\r\n".join([*header, *lines, "\t\t\t\t", ""]).encode())
    return path


def write_two(folder):
    """Writes one recording for train (1N) and one for validation (8N); returns the folder."""
    write(folder, "1Nmar", rows(signals(1)))
    write(folder, "8Nmar", rows(signals(2)))
    return folder


def load(folder, **settings):
    return tfseq.datasets.load(
        "emg_lower_limb", data_dir=folder.parent / "tfds", manual_dir=folder, **settings
    )


def records(builder, split="train"):
    """The records of a split by record_id."""
    found = tfds.as_numpy(builder.as_dataset(split=split))
    return {record["record_id"].decode(): record for record in found}


def refusal(folder, **settings):
    """The one-line message that `load` refuses with, leaving no data set behind."""
    with pytest.raises(UserError) as refused:
        load(folder, **settings)
    built = [path.name for path in (folder.parent / "tfds").rglob("*")]
    assert not [name for name in built if "incomplete" in name or "dataset_info" in name]
    assert not [name for name in built if "tfrecord" in name]
    message = str(refused.value)
    assert "\n" not in message
    return message
