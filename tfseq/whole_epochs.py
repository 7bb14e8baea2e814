"""Holds that every epoch sees all of its batches, in training and in validation."""

import keras


class WholeEpochs(keras.callbacks.Callback):
    """Ends a training whose data end early, before anything of the epoch is logged or saved.

    Keras warns, counts the epoch as done and goes on: the run would end as another one. Comes
    before the callbacks that log and save.

    Args:
        validation_steps: Batches of a validation.

    Raises:
        RuntimeError: Out of `fit`, if an epoch has fewer batches than it should have.
    """

    def __init__(self, validation_steps: int) -> None:
        super().__init__()
        self._validation_steps = validation_steps
        self._steps = self._measured = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Begins to count."""
        self._steps = self._measured = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Counts a step."""
        self._steps += 1

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Counts a batch of the validation."""
        self._measured += 1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compares, unless the training was asked to stop."""
        if self.model.stop_training:
            return
        counts = (
            ("training", self._steps, self.params["steps"]),
            ("validation", self._measured, self._validation_steps),
        )
        for what, count, expected in counts:
            if count != expected:
                raise RuntimeError(
                    f"epoch {epoch + 1}: the data ended after {count} of {expected} {what} batches"
                )
