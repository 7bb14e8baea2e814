"""Leaves out the damaged records of a data set: what reads it sees a whole one with fewer.

Splits, numbers of records and the order of the batches follow from the data set alone, so that
training stays a function of (seed, epoch, step).
"""

import hashlib
import json
import shutil
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

from tfseq.record_integrity import Damage, copy_whole_records, damage

_INFO = "dataset_info.json"


def salvaged(builder: tfds.core.DatasetBuilder, folder: Path) -> tfds.core.DatasetBuilder:
    """Returns a data set without its damaged records, and says which those are.

    Reads all files once. The damaged ones are written again without those records, the others are
    linked to.

    Args:
        builder: A data set whose records are on disk.
        folder: Where the new data set goes, if one is needed: a folder in it.

    Returns:
        The builder itself if nothing is damaged.
    """
    found = damage(builder)
    if not found:
        return builder
    skipped = sum(len(each.records) for each in found)
    total = builder.info.splits.total_num_examples
    print(f"skipped {skipped} of {total} records: {'; '.join(map(str, found))}")
    # Other damage is another data set; the same was perhaps written before.
    target = folder / hashlib.sha256(_identity(found).encode()).hexdigest()[:16]
    if not target.is_dir():
        incomplete = folder / f".{target.name}"
        shutil.rmtree(incomplete, ignore_errors=True)
        incomplete.mkdir(parents=True)
        _write(builder, found, incomplete)
        incomplete.rename(target)
    return tfds.builder_from_directory(target)


def _identity(found: list[Damage]) -> str:
    files = [(each, each.path.stat()) for each in found]
    return "\n".join(f"{each} {stat.st_size} {stat.st_mtime_ns}" for each, stat in files)


def _write(builder: tfds.core.DatasetBuilder, found: list[Damage], folder: Path) -> None:
    damaged = {each.path.name: each for each in found}
    for path in Path(builder.data_path).iterdir():
        if path.name in damaged:
            with tf.io.TFRecordWriter(str(folder / path.name)) as writer:
                copy_whole_records(path, damaged[path.name].expected, writer.write)
        elif path.name != _INFO:
            (folder / path.name).symlink_to(path.absolute())
    info = json.loads(Path(builder.data_path, _INFO).read_text(encoding="utf-8"))
    for split in info["splits"]:
        files = builder.info.splits[split["name"]].filepaths
        lost = [len(damaged[path.name].records) if path.name in damaged else 0 for path in files]
        lengths = zip(split["shardLengths"], lost, strict=True)
        split["shardLengths"] = [str(int(length) - fewer) for length, fewer in lengths]
    (folder / _INFO).write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
