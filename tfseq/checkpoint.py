"""Saves a training run while it goes on, so that it can continue as if it had never stopped."""

import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfseq import averaging, checkpoint_files
from tfseq.checkpoint_files import Position
from tfseq.errors import UserError


class Interrupted(Exception):  # noqa: N818 - not an error
    """The user stopped the run (SIGINT, Ctrl-C); who writes its files has saved the last step."""


class Checkpoint(keras.callbacks.Callback):
    """Saves the last and the best state of a run, stops it when asked to, and continues it.

    The last state is saved after every epoch, after every `every_steps` steps, and on SIGINT, see
    `tfseq.checkpoint_files`.

    Args:
        folder: Where the files go.
        position: Where the run begins; updated as it goes on.
        saved: The model to save; it shares its weights and its optimizer with the one that fits.
        steps_per_epoch: Steps of a whole epoch.
        every_steps: Save after so many steps within an epoch too; 0 does not.
        patience: Stop after so many epochs without a lower validation loss; 0 never stops.
        metrics: Running metrics of a half-finished epoch, as `restore` returned them.
        writes: Whether this process writes the files: of several workers one does.

    Raises:
        Interrupted: Out of `fit`, after a SIGINT.
        UserError: Out of `fit`, when the loss is not finite. Nothing is saved then.
    """

    def __init__(
        self,
        folder: Path,
        position: Position,
        saved: keras.Model,
        *,
        steps_per_epoch: int,
        every_steps: int = 0,
        patience: int = 0,
        metrics: list[np.ndarray] | None = None,
        writes: bool = True,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._saved = saved
        self._steps_per_epoch = steps_per_epoch
        self._every_steps = every_steps
        self._patience = patience
        self._metrics = metrics
        self._writes = writes
        self._interrupted = False
        self._previous_handler: Any = None
        self.position = position

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Takes over SIGINT."""
        self._previous_handler = signal.signal(signal.SIGINT, self._interrupt)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Gives SIGINT back."""
        self.release()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Restores the running metrics of a half-finished epoch; Keras has just reset them."""
        if self._metrics is not None:
            for variable, value in zip(self.model.metrics_variables, self._metrics, strict=True):
                variable.assign(value)
            self._metrics = None

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Counts the step, looks at the loss, saves and stops where that is due."""
        self.position.step += 1
        if not np.isfinite(float(logs["loss"])):
            self._refuse("loss", logs["loss"], f", step {self.position.step}")
        if self.position.step == self._steps_per_epoch:
            return  # the end of the epoch saves
        if self._interrupted:
            self._save()
            raise Interrupted
        if self._every_steps and self.position.step % self._every_steps == 0:
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Counts the epoch and saves."""
        loss = float(logs["val_loss"])
        if not np.isfinite(loss):
            self._refuse("validation loss", loss)
        position = self.position
        position.epoch, position.step = epoch + 1, 0
        position.epochs_without_gain += 1
        improved = loss < position.best_loss
        if improved:
            position.best_epoch, position.best_loss = epoch + 1, loss
            position.epochs_without_gain = 0
        self._save(improved=improved)
        if self._patience and position.epochs_without_gain >= self._patience:
            self.model.stop_training = True
        if self._interrupted:
            raise Interrupted

    def release(self) -> None:
        """Gives SIGINT back; needed where `fit` ended in an exception."""
        if self._previous_handler is not None:
            signal.signal(signal.SIGINT, self._previous_handler)
            self._previous_handler = None

    def _interrupt(self, *_: Any) -> None:
        if self._interrupted:  # the user is in a hurry
            raise KeyboardInterrupt
        self._interrupted = True

    def _refuse(self, what: str, value: float, where: str = "") -> None:
        raise UserError(
            f"training diverged: the {what} became {value} in epoch "
            f"{self.position.epoch + 1}{where}; try a lower --config.optimizer.learning_rate, "
            "and look at the data for extreme values"
        )

    def _save(self, *, improved: bool = False) -> None:
        if not self._writes:
            return
        averaged = averaging.is_used(self._saved.optimizer)
        if improved and averaged:
            with averaging.averages(self._saved.optimizer):
                checkpoint_files.save_best(self._saved, self.position, self._folder)
        within = self.position.step
        metrics = [v.numpy() for v in self.model.metrics_variables] if within else None
        is_best = improved and not averaged
        checkpoint_files.save(self._saved, self.position, metrics, self._folder, is_best=is_best)
