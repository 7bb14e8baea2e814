"""Damages the TFRecord files of a data set, as disks and networks do."""

import shutil
import struct
from pathlib import Path

from tfseq import datasets

SETTINGS = {"train_records": 50, "validation_records": 20, "test_records": 20}
"""Those of `command.RECORDS`."""


def copied(data_dir, target):
    """Copies the session's data set, and returns a builder of the copy."""
    shutil.copytree(data_dir, target)
    return datasets.load("simulated_emg", data_dir=target, **SETTINGS)


def file_of(builder, split="train"):
    """Returns the first file of a split."""
    return Path(builder.info.splits[split].filepaths[0])


def begins(content):
    """Returns the bytes at which the records of a TFRecord file begin."""
    places, place = [], 0
    while place < len(content):
        places.append(place)
        place += 16 + struct.unpack("<Q", content[place : place + 8])[0]
    return places


def flip(path, record, byte):
    """Flips a bit of a byte of a record: 0 to 7 are its length, 8 to 11 the checksum of that."""
    content = bytearray(path.read_bytes())
    content[begins(content)[record] + byte] ^= 1
    path.write_bytes(content)


def cut(path, record, byte=0):
    """Cuts a file short at a byte of a record."""
    content = path.read_bytes()
    path.write_bytes(content[: begins(content)[record] + byte])
