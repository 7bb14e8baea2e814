"""Reads the records of a set one by one: no file is ever wholly in memory, or extracted."""

import contextlib
import zipfile
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tfseq import npy_format
from tfseq.datasets.record_sets.arrays import AXES, Array, damage_told


def from_npy(
    x: Array, y: Array, indices: Iterable[int]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields some records of two .npy files, without reading the others.

    Args:
        x: Header of the waveforms.
        y: Header of the labels.
        indices: Those of the records, in rising order.

    Yields:
        index, waveform (channels, steps) and label (steps,), both float32.

    Raises:
        UserError: If a file is damaged.
    """
    with contextlib.ExitStack() as stack:
        readers = []
        for array in (x, y):
            with damage_told(array.path):
                stream = stack.enter_context(array.path.open("rb"))
            readers.append(npy_format.Records(array, stream))
        for index in indices:
            values = []
            for array, reader in zip((x, y), readers, strict=True):
                with damage_told(array.path, f" in {array.key} at record {index}"):
                    values.append(npy_format.as_float32(reader.read(index)))
            yield index, *values


def from_npz(
    x: Array, y: Array, wanted: Callable[[int], bool]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields the wanted records of an .npz file, of which one record at a time is in memory.

    Args:
        x: Header of the waveforms.
        y: Header of the labels, in the same file.
        wanted: Says by its index whether a record is wanted.

    Yields:
        index, waveform (channels, steps) and label (steps,), both float32.

    Raises:
        UserError: If the file is damaged.
    """
    with damage_told(x.path), contextlib.ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(x.path))
        streams = [stack.enter_context(archive.open(f"{key}.npy")) for key in AXES]
        for stream, array in zip(streams, (x, y), strict=True):
            stream.read(array.offset)
        for index in range(x.shape[0]):
            values = []
            for stream, array in zip(streams, (x, y), strict=True):
                with damage_told(array.path, f" in {array.key} at record {index}"):
                    values.append(npy_format.next_record(stream, array))
            if wanted(index):
                yield index, *map(npy_format.as_float32, values)
        for stream in streams:
            stream.read(1)  # zipfile compares an array's checksum when it meets the end
