"""What one of several workers takes of every batch."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Share:
    """What a worker takes of every batch: some of the parts into which it is cut.

    Attributes:
        first: The first of them.
        count: How many.
        of: How many parts there are. As many records as possible are in each.
    """

    first: int
    count: int
    of: int

    def places(self, places: tf.Tensor) -> tf.data.Dataset:
        """Returns the parts of a batch's places: (places, weights), see `batches`."""
        size = tf.shape(places)[0]

        def part(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            start, end = (tf.cast(index, tf.int32) + i for i in (0, 1))
            start, end = size * start // self.of, size * end // self.of
            # A part of no record takes one that does not count.
            last = tf.minimum(tf.maximum(end, start + 1), size)
            taken = places[tf.minimum(start, last - 1) : last]
            return taken, tf.fill(tf.shape(taken)[:1], tf.cast(end > start, tf.float32))

        return tf.data.Dataset.range(self.first, self.first + self.count).map(part)

    def batches(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the parts of every batch, one after the other.

        Returns:
            waveform, label and weight (part,) float32: 0 for a record that stands where a part
            would have none, else 1.
        """

        def parts(waveform: tf.Tensor, label: tf.Tensor) -> tf.data.Dataset:
            taken = self.places(tf.range(tf.shape(waveform)[0]))
            return taken.map(
                lambda places, weight: (
                    tf.gather(waveform, places),
                    tf.gather(label, places),
                    weight,
                )
            )

        return batches.flat_map(parts)
