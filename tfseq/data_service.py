"""Training batches that the workers of a tf.data service make, in the order of one process.

The service hands out the numbers of batches, each to one of its workers ("dynamic sharding"), so
that every record comes once an epoch. What a batch holds follows from its number, as in
`example_gen.training_batches` with records in memory; here a worker reads just the records of the
batch, by their places in the files, which it must be able to open. Batches arrive in any order and
are put in theirs, so that a run that was stopped goes on exactly.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfseq import reachability, tfrecord_files
from tfseq.augmentation import Augmentation
from tfseq.errors import UserError
from tfseq.example_gen import Split
from tfseq.share import Share

_MOST_WAITING = 64
"""Batches that may arrive before an earlier one, until that is given up for lost."""


def require(address: str) -> None:
    """Refuses an address that is none, or at which nobody listens.

    Raises:
        UserError: If it is.
    """
    if not re.fullmatch(r"grpc://[^\s/]+:\d+", address):
        raise UserError(f"--config.data.service: expected grpc://host:port, got {address!r}")
    if not reachability.listens(address.removeprefix("grpc://")):
        raise UserError(
            f"--config.data.service: no tf.data service can be reached at {address}; start its "
            "dispatcher, or name another"
        )


@contextlib.contextmanager
def lost_batches_told() -> Iterator[None]:
    """Has a block that takes batches end in one line when one of them is lost.

    Raises:
        UserError: If one is.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        # So TensorFlow passes on what a generator raises.
        told = re.search(r"UserError: (--config\.data\.service: .*)", str(error))
        if not told:
            raise
        raise UserError(told[1]) from error


def training_batches(
    split: Split,
    batch_size: int,
    *,
    address: str,
    seed: int,
    first_epoch: int = 0,
    first_step: int = 0,
    augmentation: Augmentation | None = None,
    share: Share | None = None,
) -> tf.data.Dataset:
    """Returns epoch after epoch of shuffled batches, without end.

    Args:
        split: What to read: a data set in TFRecord files.
        batch_size: Records a batch; the last one of an epoch may be smaller.
        address: grpc://host:port of the service's dispatcher.
        seed: With the number of the epoch it determines the order.
        first_epoch: The epoch to begin with.
        first_step: How many batches of it to leave out.
        augmentation: What is done to each batch.
        share: Take these parts of every batch, see `Share.batches`.

    Returns:
        The batches of `example_gen.training_batches` with records in memory.

    Raises:
        UserError: If the service cannot be reached, or the records are not in TFRecord files.
    """
    require(address)
    read = _reader(split)
    steps = split.num_batches(batch_size)

    def batch(number: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        indices = tf.range(split.num_records, dtype=tf.int64)
        order = tf.random.experimental.stateless_shuffle(indices, seed=[seed, number // steps])
        start = number % steps * batch_size
        records = read(order[start : start + batch_size])
        if augmentation:
            records = augmentation.of_numbered(number, *records, seed=seed)
        return number, records

    first = first_epoch * steps + first_step
    numbered = (
        tf.data.Dataset.range(first, tf.int64.max)
        .map(batch, num_parallel_calls=2)
        .apply(
            tf.data.experimental.service.distribute(
                tf.data.experimental.service.ShardingPolicy.DYNAMIC, address
            )
        )
    )
    batches = _in_order(numbered, first)
    return (share.batches(batches) if share else batches).prefetch(2)


def _reader(split: Split) -> Any:
    """Returns a function from places of records to (waveforms, labels), read from the files."""
    info = split.builder.info
    if info.file_format.value != "tfrecord":
        raise UserError(
            f"--config.data.service: {info.full_name} is stored as {info.file_format.value}; "
            "expected tfrecord"
        )
    paths, rows = [], []
    for part in info.splits[split.name].file_instructions:
        path = Path(part.filename).absolute()
        end = None if part.take < 0 else part.skip + part.take
        size = path.stat().st_size
        found = list(tfrecord_files.places(path))[part.skip : end]
        rows += [
            (len(paths), each.offset, each.length, size - each.offset - each.length)
            for each in found
        ]
        paths.append(str(path))
    table = np.array(rows, np.int64)

    def record(place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        file, before, length, behind = tf.unstack(tf.gather(table, place))
        stored = tf.data.FixedLengthRecordDataset(
            tf.gather(paths, file), length, header_bytes=before, footer_bytes=behind
        )
        example = info.features.deserialize_example(stored.get_single_element())
        return example["waveform"], example["label"]

    def read(places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        records = tf.data.Dataset.from_tensor_slices(places).map(record, num_parallel_calls=2)
        return records.batch(split.num_records).get_single_element()

    return read


def _in_order(numbered: tf.data.Dataset, first: int) -> tf.data.Dataset:
    """Puts batches in the order of their numbers, and takes the numbers off."""

    def ordered() -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        waiting, due = {}, first
        for number, batch in numbered:
            waiting[int(number)] = batch
            while due in waiting:
                yield waiting.pop(due)
                due += 1
            if len(waiting) > _MOST_WAITING:
                raise UserError(
                    f"--config.data.service: batch {due} never came, for a worker of the service "
                    "has stopped; the same command goes on from the last checkpoint"
                )

    return tf.data.Dataset.from_generator(ordered, output_signature=numbered.element_spec[1])
