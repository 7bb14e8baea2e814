"""From a TFDS data set to tf.data batches of (waveform, label).

Training batches are a function of (seed, epoch, step) alone, so that a run that was stopped goes on
with the batches that it would have seen.
"""

import dataclasses
from collections.abc import Callable

import psutil
import tensorflow as tf
import tensorflow_datasets as tfds

from tfseq.augmentation import Augmentation
from tfseq.errors import UserError
from tfseq.native import reading
from tfseq.share import Share

_SHUFFLE_BUFFER_BYTES = 256 << 20


@dataclasses.dataclass(frozen=True)
class Split:
    """The records of a split, or of a part of one such as `train[:10%]`.

    Attributes:
        builder: A TFDS builder whose records are on disk.
        name: The split, as TFDS spells it.
    """

    builder: tfds.core.DatasetBuilder
    name: str

    def __post_init__(self) -> None:
        whole = self.name.partition("[")[0]
        if whole not in self.builder.info.splits:
            known = ", ".join(self.builder.info.splits) or "none"
            raise UserError(
                f"{self.builder.name} has no split {self.name!r} as it was built; it has {known}"
            )
        try:
            count = self.num_records
        except ValueError as error:
            raise UserError(
                f"{self.name!r} is not a split; write train, train[:100] or train[:10%]"
            ) from error
        if count < 1:
            raise UserError(f"{self.builder.name}: split {self.name!r} holds no record")

    @property
    def num_records(self) -> int:
        """How many records there are."""
        return self.builder.info.splits[self.name].num_examples

    @property
    def waveform_shape(self) -> tuple[int, int]:
        """(channels, steps) of a waveform."""
        return self.builder.info.features["waveform"].shape

    def num_batches(self, batch_size: int) -> int:
        """How many batches an epoch has, the last of which may be smaller."""
        return -(-self.num_records // batch_size)

    def records(self) -> tf.data.Dataset:
        """Returns (waveform, label) record by record, in the order in which they are stored."""
        return self._read(as_supervised=True)

    def in_memory(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Reads all records; returns (waveforms, labels)."""
        stored = self.stored()
        with tf.device("CPU"):
            if stored:
                return stored.in_memory()
            return self.records().batch(self.num_records).get_single_element()

    def lookup(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """Returns a function from numbers of records, held in memory, to (waveforms, labels)."""
        with tf.device("CPU"):
            stored = self.stored()
            if stored and stored.can_be_held:
                return stored.lookup()
        waveforms, labels = self.in_memory()
        return lambda numbers: (tf.gather(waveforms, numbers), tf.gather(labels, numbers))

    def stored(self) -> reading.StoredRecords | None:
        """Returns the records by their places in files; None where they are read in order alone."""
        return reading.stored(self.builder, self.name)

    def examples(self) -> tf.data.Dataset:
        """Returns the same records whole: dicts of waveform, label, record_id and group."""
        return self._read(as_supervised=False)

    def _read(self, *, as_supervised: bool) -> tf.data.Dataset:
        config = tfds.ReadConfig(options=_options(held=False), try_autocache=False)
        return self.builder.as_dataset(
            split=self.name, as_supervised=as_supervised, read_config=config
        )


def evaluation_batches(
    split: Split, batch_size: int, *, cache: str = "never", share: Share | None = None
) -> tf.data.Dataset:
    """Returns all records once, in order, in batches of (waveform, label).

    Args:
        split: What to read.
        batch_size: Records a batch; the last one may be smaller.
        cache: Keep what was read in memory for the next time: as in `training_batches`.
        share: Take these parts of every batch.

    Returns:
        Batches of waveform (batch, channels, steps) and label (batch, steps), float32.
    """
    held = is_cached(split, cache)
    if held:
        # Not `cache()`: an iterator that is given up, as Keras does, at times leaves it cut short.
        # And no `map`: TensorFlow takes milliseconds to begin one, three times a validation.
        batches = tf.data.Dataset.from_tensor_slices(split.in_memory()).batch(batch_size)
    elif stored := split.stored():
        batches = _read_batches(stored.places().batch(batch_size), stored.read, share)
    else:
        batches = split.records().batch(batch_size, num_parallel_calls=2)
    return _parts(batches, share).prefetch(2).with_options(_options(held=held))


def training_batches(
    split: Split,
    batch_size: int,
    *,
    seed: int,
    first_epoch: int = 0,
    first_step: int = 0,
    cache: str = "auto",
    augmentation: Augmentation | None = None,
    share: Share | None = None,
) -> tf.data.Dataset:
    """Returns epoch after epoch of shuffled batches, without end.

    Records that fit are held in memory, as they come, and shuffled as a whole; others are read
    again in every epoch and shuffled among as many as 256 MiB hold (TFDS shuffles all when it
    writes them).

    Args:
        split: What to read.
        batch_size: Records a batch; the last one of an epoch may be smaller.
        seed: With the number of the epoch it determines the order.
        first_epoch: The epoch to begin with.
        first_step: How many batches of it to leave out.
        cache: "always" or "never" keep the records in memory, or "auto": where they fit.
        augmentation: What is done to each batch.
        share: Take these parts of every batch.

    Returns:
        Batches of waveform (batch, channels, steps) and label (batch, steps), float32; with a share
        its parts of them, see `Share.batches`.
    """
    part = None if augmentation else share
    held = is_cached(split, cache)
    if held:
        batches = _from_memory(split, batch_size, seed, first_epoch, part)
    else:
        batches = _from_disk(split, batch_size, seed, first_epoch, part)
    if augmentation:
        # What is drawn for a record depends on its whole batch.
        batches = batches.enumerate(first_epoch * split.num_batches(batch_size)).map(
            reading.as_it_is(
                lambda number, batch: augmentation.of_numbered(number, *batch, seed=seed)
            ),
            num_parallel_calls=2,
        )
    left = _parts(batches, share).skip(first_step * (share.count if share else 1))
    return left.with_options(_options(held=held))


def _options(*, held: bool) -> tf.data.Options:
    options = tf.data.Options()
    # Sharding is explicit here; tf.distribute need not guess.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # TensorFlow copies what it rewrites, and the records that are held in memory with it.
    options.experimental_optimization.apply_default_optimizations = not held
    # How much is done at once is said here too. What tunes it sleeps for longer and longer, and an
    # iterator that ends may have to wait until it wakes: for half of an epoch.
    options.autotune.enabled = False
    return options


def _record_bytes(split: Split) -> int:
    channels, steps = split.waveform_shape
    return 4 * steps * (channels + 1)


def is_cached(split: Split, cache: str) -> bool:
    """Whether the records are held in memory; `cache` is as in `training_batches`."""
    size = split.num_records * _record_bytes(split)
    fits = size < psutil.virtual_memory().available / 4
    return cache == "always" or (cache == "auto" and fits)


def _from_memory(
    split: Split, batch_size: int, seed: int, first_epoch: int, share: Share | None
) -> tf.data.Dataset:
    gather = split.lookup()

    @reading.as_it_is
    def order(epoch: tf.Tensor) -> tf.data.Dataset:
        indices = tf.range(split.num_records, dtype=tf.int64)
        shuffled = tf.random.experimental.stateless_shuffle(indices, seed=[seed, epoch])
        # Not `batch`, which would put them together number by number: 0.2 ms.
        whole = split.num_records // batch_size * batch_size
        batches = tf.data.Dataset.from_tensor_slices(tf.reshape(shuffled[:whole], (-1, batch_size)))
        rest = tf.data.Dataset.from_tensors(shuffled[whole:])
        return batches.concatenate(rest.take(int(whole < split.num_records)))

    return _read_batches(_epochs(first_epoch).flat_map(order), gather, share)


def _from_disk(
    split: Split, batch_size: int, seed: int, first_epoch: int, share: Share | None
) -> tf.data.Dataset:
    stored = split.stored()
    records = stored.places() if stored else split.records()
    buffer = min(split.num_records, max(batch_size, _SHUFFLE_BUFFER_BYTES // _record_bytes(split)))

    @reading.as_it_is
    def shuffled(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.stateless_uniform(
            [], seed=[seed, epoch], minval=None, maxval=None, dtype=tf.int64
        )
        # With a global seed of 0, `shuffle` would compare its own with 0, which a graph cannot.
        tf.random.set_seed(1)
        return records.shuffle(buffer, seed=order).batch(batch_size)

    batches = _epochs(first_epoch).flat_map(shuffled)
    return _read_batches(batches, stored.read, share) if stored else batches.prefetch(2)


def _read_batches(
    places: tf.data.Dataset,
    read: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    share: Share | None,
) -> tf.data.Dataset:
    """Returns batches of which the places of the records are given, or the share's part of each."""
    # No `prefetch` of what `map` holds ready: with twice as many batches under way they are no
    # longer in the cache when a step takes them, a tenth of a step of `cnn`.
    if not share:
        return places.map(read, num_parallel_calls=2)
    return places.flat_map(share.places).map(
        lambda part, weight: (*read(part), weight), num_parallel_calls=2
    )


def _parts(batches: tf.data.Dataset, share: Share | None) -> tf.data.Dataset:
    """Returns a share's parts of batches; those that were read in parts have weights already."""
    has_weights = len(batches.element_spec) == 3
    return share.batches(batches) if share and not has_weights else batches


def _epochs(first: int) -> tf.data.Dataset:
    return tf.data.Dataset.counter(start=first)
