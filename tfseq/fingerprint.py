"""A digest of the records of a split, which two workers or two starts of a run can compare."""

import hashlib
import os
import struct
from pathlib import Path

from tfseq.example_gen import Split

_HEADER = struct.Struct("<QI")  # a record's length, and the length's checksum
_CHECKSUM = 4


def of(split: Split) -> str:
    """Returns a digest of a split's identity: data set, version, split, and the records on disk.

    Each file counts with its name, its size and the CRC-32C that TFRecord keeps of every record,
    so that a data set that was built again with other values is another one, without its values
    being read. Where the files lie, and when they were written, does not count.

    Args:
        split: Records that are on disk.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: If a file is not there.
    """
    info = split.builder.info
    digest = hashlib.sha256(f"{info.full_name} {split.name} {split.num_records}\n".encode())
    for part in info.splits[split.name].file_instructions:
        path = Path(part.filename)
        identity = f"{path.name} {path.stat().st_size} {part.skip} {part.take}\n"
        digest.update(identity.encode())
        if info.file_format.value == "tfrecord":
            _add_checksums(digest, path)
    return digest.hexdigest()


def _add_checksums(digest: "hashlib._Hash", path: Path) -> None:
    """Adds the checksum of each record of a TFRecord file, which lies behind the record."""
    with path.open("rb", buffering=0) as file:
        size, place = os.fstat(file.fileno()).st_size, 0
        while place < size:
            header = os.pread(file.fileno(), _HEADER.size, place)
            if len(header) < _HEADER.size:
                return  # cut short: its size says so
            length, _ = _HEADER.unpack(header)
            place += _HEADER.size + length + _CHECKSUM
            digest.update(os.pread(file.fileno(), _CHECKSUM, place - _CHECKSUM))
