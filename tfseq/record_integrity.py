"""Finds the records of a built data set that are damaged, and names their files.

A TFRecord file keeps a CRC-32C of each record, and one of its length, which TensorFlow verifies as
it reads. Its error says neither file nor record. Where a length is damaged, or a file ends early,
nothing says where the next record begins: all from there on are lost.
"""

import contextlib
import dataclasses
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

from tfseq.errors import UserError

_LENGTH = struct.Struct("<QI")  # of a record, and its masked checksum
_CHECKSUM_BYTES = 4
# What TensorFlow and TFDS raise for records that are damaged or too few.
_DAMAGE = (tf.errors.DataLossError, tf.errors.FailedPreconditionError, tf.errors.OutOfRangeError)


@dataclasses.dataclass(frozen=True)
class Damage:
    """What is wrong with a file.

    Attributes:
        path: The file.
        records: The indices within the file of the records that cannot be read, in order.
        expected: How many records it was written with.
    """

    path: Path
    records: tuple[int, ...]
    expected: int

    def __str__(self) -> str:
        """Names file and records, neighbours as one range."""
        ranges: list[list[int]] = []
        for index in self.records:
            if ranges and index == ranges[-1][1] + 1:
                ranges[-1][1] = index
            else:
                ranges.append([index, index])
        named = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in ranges)
        return f"{self.path} record{'s' if len(self.records) > 1 else ''} {named}"


@contextlib.contextmanager
def named(builder: tfds.core.DatasetBuilder) -> Iterator[None]:
    """Names the damaged records of a data set if the block cannot read some.

    Args:
        builder: The data set that is read.

    Raises:
        UserError: If a file is damaged, instead of TensorFlow's error.
    """
    try:
        yield
    except _DAMAGE as error:
        found = damage(builder)
        if not found:
            raise
        raise UserError(
            f"corrupt: {'; '.join(map(str, found))}; remove {builder.data_path} to have the data "
            "set built again, or train without them: --config.data.on_corrupt=skip"
        ) from error


def damage(builder: tfds.core.DatasetBuilder) -> list[Damage]:
    """Reads a data set and returns the files that are damaged.

    Raises:
        tf.errors.NotFoundError: If a file is not there.
    """
    found = []
    for split in builder.info.splits.values():
        for path, expected in zip(split.filepaths, split.shard_lengths, strict=True):
            bad = copy_whole_records(Path(path), expected, lambda _: None)
            if bad:
                found.append(Damage(Path(path), bad, expected))
    return found


def copy_whole_records(
    path: Path, expected: int, write: Callable[[bytes], None]
) -> tuple[int, ...]:
    """Reads a TFRecord file and hands on the records that are whole.

    Args:
        path: The file.
        expected: How many records it was written with.
        write: Is called with each record.

    Returns:
        The indices of the others.
    """
    bad: list[int] = []
    index, source = 0, path
    with tempfile.TemporaryDirectory() as folder:
        while True:
            try:
                for record in tf.data.TFRecordDataset(str(source)).as_numpy_iterator():
                    write(record)
                    index += 1
            except tf.errors.DataLossError:
                bad.append(index)
                index += 1
                # TensorFlow does not read on in this file, but it does in one with the rest of it.
                rest = _begin(path, index)
                if rest is not None:
                    source = _copied_from(path, rest, Path(folder, "rest"))
                    continue
            return (*bad, *range(index, expected))


def _begin(path: Path, index: int) -> int | None:
    """Returns the byte at which a record begins; None if the lengths before it do not say."""
    place, size = 0, path.stat().st_size
    with path.open("rb") as file:
        for _ in range(index):
            file.seek(place)
            header = file.read(_LENGTH.size)
            if len(header) < _LENGTH.size:
                return None
            length, checksum = _LENGTH.unpack(header)
            place += _LENGTH.size + length + _CHECKSUM_BYTES
            if checksum != _masked_crc32c(header[:8]) or place > size:
                return None
    return place


def _copied_from(path: Path, place: int, target: Path) -> Path:
    with path.open("rb") as source, target.with_suffix(".new").open("wb") as copy:
        source.seek(place)
        shutil.copyfileobj(source, copy)
    return target.with_suffix(".new").replace(target)


def _masked_crc32c(content: bytes) -> int:
    """The checksum of the TFRecord format: CRC-32C, turned by 15 bits, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
