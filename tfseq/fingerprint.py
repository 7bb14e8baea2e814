"""A digest of the records of a split, which two workers or two starts of a run can compare."""

import hashlib
from pathlib import Path

from tfseq import tfrecord_files
from tfseq.example_gen import Split


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
            for place in tfrecord_files.places(path):
                digest.update(place.checksum)
    return digest.hexdigest()
