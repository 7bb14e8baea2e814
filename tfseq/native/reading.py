"""Reads records of TFRecord files by their places, straight into batches.

TensorFlow reads a file record by record, and each record of 80 kB is copied from buffer to buffer
until it lies in its batch. Here what is shuffled and put into batches is the places of records; an
operation then finds those of a batch in the memory in which the system keeps what was read of the
files, verifies their checksums as TensorFlow does, and copies each to where it belongs.
"""

import dataclasses
import errno
import functools
import mmap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfseq.native import library

# As TFDS goes through the files of a split.
_FILES_AT_A_TIME = 16
_RECORDS_AT_A_TIME = 16

# As many as the operation keeps open.
_MOST_HELD = 64

_INDEX_BITS = 32

as_it_is = tf.autograph.experimental.do_not_convert
"""Has AutoGraph not translate a function of a data set: it takes a tenth of a second."""


@dataclasses.dataclass(frozen=True)
class StoredRecords:
    """The records of some files.

    Attributes:
        paths: The files.
        starts: For each, the place of its first record that is wanted: the number of the file in
            the upper half, that of the record in the lower.
        ends: For each, the place behind its last record that is wanted.
        files_at_a_time: Of how many files records come by turns.
        waveform_shape: (channels, steps) of a waveform.
    """

    paths: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    files_at_a_time: int
    waveform_shape: tuple[int, int]

    @property
    def num_records(self) -> int:
        """How many records there are."""
        return sum(self.ends) - sum(self.starts)

    @property
    def can_be_held(self) -> bool:
        """Whether all files can stay mapped; of more, a whole shuffle would map them anew again."""
        return len(self.paths) <= _MOST_HELD

    def places(self) -> tf.data.Dataset:
        """Returns the places of the records, int64, in the order in which TFDS reads them."""
        files = tf.data.Dataset.from_tensor_slices((np.int64(self.starts), np.int64(self.ends)))
        places = files.interleave(
            tf.data.Dataset.range,
            cycle_length=self.files_at_a_time,
            block_length=_RECORDS_AT_A_TIME,
        )
        # Keras warns of data that ends where it does not know that it will.
        return places.apply(tf.data.experimental.assert_cardinality(self.num_records))

    def in_memory(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Reads all records, on all processors; returns (waveforms, labels)."""
        read = functools.partial(self.read, on_all_processors=True)
        # Not called as it is: TensorFlow would keep the files open.
        whole = self.places().batch(self.num_records)
        return whole.map(read).get_single_element()

    def lookup(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """Returns a function from numbers of records to their (waveforms, labels).

        They are held in the memory that the system has anyway for files that it read: there is no
        other copy, and a process that needs that memory more gets it. The files are those that
        were there when it read them first, even if they go meanwhile.
        """
        places = self.places().batch(self.num_records).get_single_element()
        return as_it_is(lambda numbers: self.read(tf.gather(places, numbers), are_held=True))

    @as_it_is
    def read(
        self, places: tf.Tensor, *, on_all_processors: bool = False, are_held: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns (waveforms, labels) of places (records,).

        The operation fails with DataLoss where a record is damaged, with NotFound where there is no
        file, with Unknown where it is another than before, and with InvalidArgument where a record
        is of another size.
        """
        channels, steps = self.waveform_shape
        waveforms, labels = library.kernels().operations.tfseq_read_records(
            places,
            paths=list(self.paths),
            channels=channels,
            steps=steps,
            on_all_processors=on_all_processors,
            are_held=are_held,
        )
        return (
            tf.ensure_shape(waveforms, (None, channels, steps)),
            tf.ensure_shape(labels, (None, steps)),
        )


def stored(builder: tfds.core.DatasetBuilder, split: str) -> StoredRecords | None:
    """Returns the records of a split; None if they are not stored so, or there are no kernels."""
    info, kernels = builder.info, library.kernels()
    if kernels is None or not hasattr(kernels.operations, "tfseq_read_records"):
        return None
    parts = info.splits[split].file_instructions
    paths = [Path(part.filename) for part in parts]
    if not _are_strings(info) or not all(path.is_file() and _can_map(path) for path in paths):
        return None
    first = [(number << _INDEX_BITS) + part.skip for number, part in enumerate(parts)]
    return StoredRecords(
        paths=tuple(str(path) for path in paths),
        starts=tuple(first),
        ends=tuple(start + part.take for start, part in zip(first, parts, strict=True)),
        files_at_a_time=1 if info.disable_shuffling else _FILES_AT_A_TIME,
        waveform_shape=info.features["waveform"].shape,
    )


def _are_strings(info: tfds.core.DatasetInfo) -> bool:
    """Whether waveforms and labels are float32 values as strings of bytes, in TFRecord files."""
    features = [info.features[name] for name in ("waveform", "label")]
    if info.file_format is not tfds.core.FileFormat.TFRECORD:
        return False
    if any(type(feature) is not tfds.features.Tensor for feature in features):
        return False
    described = [feature.to_json_content() for feature in features]
    return all((each.dtype, each.encoding) == ("float32", "bytes") for each in described)


def _can_map(path: Path) -> bool:
    """Whether a file can be used as memory; what is on some disks of a network cannot."""
    if not path.stat().st_size:
        return True  # damaged, which who reads it finds
    with path.open("rb") as file:
        try:
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ).close()
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.ENOMEM):
                raise
            return False
    return True
