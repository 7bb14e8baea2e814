"""Training records as they might also have come: another gain, more noise, a loose electrode.

What is drawn depends on (seed, epoch, step) alone, so that a run that was stopped goes on with the
records that it would have seen.
"""

import dataclasses

import tensorflow as tf

from tfseq.errors import UserError

Batch = tuple[tf.Tensor, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is done to a batch of waveforms and labels.

    Attributes:
        gain: Standard deviation of the logarithm of a factor for every channel of every record.
        noise: White noise of up to so many standard deviations of the channel, more or less of it
            from record to record.
        drop_channel: Chance of a channel of a record to be all zeros.
        shift: Steps by which waveform and label move together, up to so many either way; what is
            missing at one end is the record mirrored there.

    Raises:
        UserError: If one is out of range.
    """

    gain: float = 0.0
    noise: float = 0.0
    drop_channel: float = 0.0
    shift: int = 0

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not value >= 0:
                raise UserError(f"--config.augmentation.{name}: expected 0 or more, got {value}")
        if self.drop_channel >= 1:
            raise UserError(
                f"--config.augmentation.drop_channel: expected less than 1, got {self.drop_channel}"
            )

    def __bool__(self) -> bool:
        """Whether anything is done at all."""
        return any(dataclasses.astuple(self))

    def __call__(self, waveform: tf.Tensor, label: tf.Tensor, seed: tf.Tensor) -> Batch:
        """Returns another batch.

        Args:
            waveform: (batch, channels, steps).
            label: (batch, steps).
            seed: Two integers.
        """
        seeds = tf.random.split(seed, 5)
        shape = tf.shape(waveform)
        each_channel = [shape[0], shape[1], 1]
        if self.noise:
            deviation = tf.math.reduce_std(waveform, axis=2, keepdims=True)
            strength = tf.random.stateless_uniform([shape[0], 1, 1], seeds[0], 0.0, self.noise)
            waveform += deviation * strength * tf.random.stateless_normal(shape, seeds[1])
        if self.gain:
            waveform *= tf.exp(self.gain * tf.random.stateless_normal(each_channel, seeds[2]))
        if self.drop_channel:
            chances = tf.random.stateless_uniform(each_channel, seeds[3])
            waveform *= tf.cast(chances >= self.drop_channel, waveform.dtype)
        if self.shift:
            by = tf.random.stateless_uniform([], seeds[4], -self.shift, self.shift + 1, tf.int32)
            waveform, label = self._shifted(waveform, by), self._shifted(label, by)
        return waveform, label

    def of_numbered(
        self, number: tf.Tensor, waveform: tf.Tensor, label: tf.Tensor, *, seed: int
    ) -> Batch:
        """Returns another batch in place of the one of a number, counted from the first epoch on.

        Args:
            number: Its number, int64.
            waveform: (batch, channels, steps).
            label: (batch, steps).
            seed: The seed of the training.
        """
        return self(waveform, label, seed=tf.stack([tf.constant(seed, tf.int64), number]))

    def require_steps(self, steps: int) -> None:
        """Refuses records that are too short.

        Raises:
            UserError: If they cannot be shifted so far.
        """
        if self.shift >= steps:
            raise UserError(
                f"--config.augmentation.shift: expected less than the {steps} steps of a record, "
                f"got {self.shift}"
            )

    def _shifted(self, x: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
        mirrored = tf.pad(x, [[0, 0]] * (x.shape.rank - 1) + [[self.shift] * 2], "REFLECT")
        start = self.shift + by
        shifted = mirrored[..., start : start + x.shape[-1]]
        return tf.ensure_shape(shifted, x.shape)
