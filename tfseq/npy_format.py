"""Reads .npy files, whoever has written them: the header, then the records where they lie.

Files are read and not mapped: one that is cut short while it is mapped kills the process.
"""

import dataclasses
import math
import warnings
import zipfile
import zlib
from typing import BinaryIO

import numpy as np

LARGEST_RECORD = 2**28
"""Bytes that a record may have: one at a time is in memory."""

_BLOCK_BYTES = 2**26
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclasses.dataclass(frozen=True)
class Header:
    """What the header of an array says.

    Attributes:
        shape: The lengths of the axes, the first of which counts records.
        fortran_order: Whether the first axis varies fastest.
        dtype: The type of the values.
        offset: Where the values begin, in bytes.
    """

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    offset: int

    @property
    def record_bytes(self) -> int:
        """Bytes of one record."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def data_bytes(self) -> int:
        """Bytes of all records."""
        return self.shape[0] * self.record_bytes


def read_header(stream: BinaryIO) -> Header:
    """Returns what a header says, and leaves the stream where the values begin.

    Nothing of the size that it declares is allocated.

    Args:
        stream: At the beginning of an .npy file, or of an array in an .npz file.

    Raises:
        ValueError: If there is no header.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, on what Python 2 wrote
            shape, fortran_order, dtype = _READERS[np.lib.format.read_magic(stream)](stream)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error):
        raise  # from the stream
    except Exception as error:  # numpy evaluates a literal, which has errors of every kind
        raise ValueError("not an array that numpy.save writes") from error
    if any(isinstance(length, bool) or length < 0 for length in shape):
        raise ValueError(f"an array of shape {shape}")
    return Header(shape, bool(fortran_order), dtype, stream.tell())


class Records:
    """The records of an .npy file.

    Args:
        header: Its header.
        stream: The file, open for reading.
    """

    def __init__(self, header: Header, stream: BinaryIO) -> None:
        self._header = header
        self._stream = stream
        self._size = max(1, _BLOCK_BYTES // header.record_bytes)
        self._start = -1
        self._block = np.empty(0, header.dtype)

    def read(self, index: int) -> np.ndarray:
        """Returns a record.

        Raises:
            EOFError: If the file ends before it does.
            OSError: If it cannot be read.
        """
        header = self._header
        if not header.fortran_order:
            self._stream.seek(header.offset + index * header.record_bytes)
            return next_record(self._stream, header)
        # A step of all records lies before the next step: a block of records is read at a time.
        start = index - index % self._size
        if start != self._start:
            self._start, self._block = start, self._strided(start)
        return self._block[:, index - start].reshape(header.shape[:0:-1]).T

    def _strided(self, start: int) -> np.ndarray:
        """Returns (values of a record, records) of a block of records."""
        header = self._header
        count = min(self._size, header.shape[0] - start)
        block = np.empty((math.prod(header.shape[1:]), count), header.dtype)
        for place, row in enumerate(block):
            position = place * header.shape[0] + start
            self._stream.seek(header.offset + position * header.dtype.itemsize)
            if self._stream.readinto(row) < row.nbytes:
                raise EOFError
        return block


def next_record(stream: BinaryIO, header: Header) -> np.ndarray:
    """Returns the record that comes next in a stream, in C order.

    Raises:
        EOFError: If the stream ends before it does.
    """
    data = stream.read(header.record_bytes)
    if len(data) < header.record_bytes:
        raise EOFError
    return np.frombuffer(data, header.dtype).reshape(header.shape[1:])


def as_float32(values: np.ndarray) -> np.ndarray:
    """Returns values as float32 in C order; what is too large becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array(values, dtype=np.float32, order="C")
