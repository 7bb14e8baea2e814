"""Where each record of a TFRecord file lies, read from the records' headers alone."""

import dataclasses
import os
import struct
from collections.abc import Iterator
from pathlib import Path

_HEADER = struct.Struct("<QI")  # a record's length, and the length's checksum
_CHECKSUM = struct.Struct("<I")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a record lies.

    Attributes:
        offset: Bytes before its content.
        length: Bytes of its content.
        checksum: The masked CRC-32C of its content, as the file has it.
    """

    offset: int
    length: int
    checksum: bytes


def places(path: Path) -> Iterator[Place]:
    """Yields the place of each record, in the order of the file, until one is cut short.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        descriptor, offset = file.fileno(), 0
        size = os.fstat(descriptor).st_size
        while len(header := os.pread(descriptor, _HEADER.size, offset)) == _HEADER.size:
            length, _ = _HEADER.unpack(header)
            offset += _HEADER.size
            # A damaged length may be any number.
            if offset + length + _CHECKSUM.size > size:
                return
            yield Place(offset, length, os.pread(descriptor, _CHECKSUM.size, offset + length))
            offset += length + _CHECKSUM.size


def records(path: Path) -> Iterator[bytes]:
    """Yields the content of each record, in the order of the file.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it ends in a record.
    """
    end = 0
    with path.open("rb") as file:
        for place in places(path):
            file.seek(place.offset)
            yield file.read(place.length)
            end = place.offset + place.length + _CHECKSUM.size
        if end != os.fstat(file.fileno()).st_size:
            raise ValueError(f"{path} ends in a record")
