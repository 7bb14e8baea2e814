"""Saving a training run so that it can go on as if it had never stopped.

A checkpoint is a .keras file (model, weights, optimizer) with one more entry: what Keras does not
save. That is the position in the run, the states of the random generators (dropout), the running
metrics of a half-finished epoch, and the best epoch so far. The order of the batches need not be
saved: see `tfseq.example_gen`.
"""

import dataclasses
import json
import os
import shutil
import signal
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfseq import (
    averaging,
    transform,  # noqa: F401 - registers a layer that Keras has to find
)
from tfseq.errors import UserError

_STATE = "training_state.json"
_LAST = "last.keras"
_BEST = "best.keras"


@dataclasses.dataclass
class Position:
    """Where a run stands.

    Attributes:
        epoch: Epochs that are finished.
        step: Steps done in the epoch after them.
        best_epoch: The epoch, counted from 1, with the lowest validation loss; 0 before the first.
        best_loss: Its validation loss.
        epochs_without_gain: Epochs since the best one.
    """

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    epochs_without_gain: int = 0


class Interrupted(Exception):  # noqa: N818 - not an error
    """The user stopped the run (SIGINT, Ctrl-C); it is saved up to the last step."""


class Checkpoint(keras.callbacks.Callback):
    """Saves the last and the best state of a run, stops it when asked to, and continues it.

    The last state is saved after every epoch, after every `every_steps` steps, and on SIGINT.
    `last.keras` and `best.keras` are replaced in one step, so that a kill leaves the old or the
    new.

    Args:
        folder: Where the files go.
        position: Where the run begins; updated as it goes on.
        saved: The model to save; it shares its weights and its optimizer with the one that fits.
        steps_per_epoch: Steps of a whole epoch.
        every_steps: Save after so many steps within an epoch too; 0 does not.
        patience: Stop after so many epochs without a lower validation loss; 0 never stops.
        metrics: Running metrics of a half-finished epoch, as `restore` returned them.

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
    ) -> None:
        super().__init__()
        self._folder = folder
        self._saved = saved
        self._steps_per_epoch = steps_per_epoch
        self._every_steps = every_steps
        self._patience = patience
        self._metrics = metrics
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
            self._save(_LAST)
            raise Interrupted
        if self._every_steps and self.position.step % self._every_steps == 0:
            self._save(_LAST)

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
        if improved and averaging.is_used(self._saved.optimizer):
            with averaging.averages(self._saved.optimizer):
                self._save(_BEST)
            self._save(_LAST)
        else:
            self._save(_LAST, also=_BEST if improved else None)
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

    def _save(self, name: str, also: str | None = None) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        state = dataclasses.asdict(self.position)
        state["random_states"] = [v.numpy().tolist() for v in _random_states(self._saved)]
        state["metrics"] = (
            [v.numpy().tolist() for v in self.model.metrics_variables]
            if self.position.step
            else None
        )
        temporary = self._folder / f".{os.getpid()}.keras"
        try:
            self._saved.save(temporary)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(_STATE, json.dumps(state))
            _sync(temporary)
            if also:
                # The same bytes under two names: written once, stored once.
                _link(temporary, self._folder / also)
            temporary.replace(self._folder / name)
        finally:
            temporary.unlink(missing_ok=True)


def last(folder: Path) -> Path | None:
    """Returns the checkpoint from which a run can go on, or None."""
    path = folder / _LAST
    return path if path.is_file() else None


def best(folder: Path) -> Path:
    """Returns the checkpoint with the lowest validation loss."""
    return folder / _BEST


def restore(path: Path) -> tuple[keras.Model, Position, list[np.ndarray] | None]:
    """Loads a checkpoint.

    Args:
        path: What `last` returned.

    Returns:
        The compiled model with its optimizer and random states, the position of the run, and the
        running metrics if it stands within an epoch.

    Raises:
        UserError: If the file is not a checkpoint of a training run.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            state = json.loads(archive.read(_STATE))
        model = keras.models.load_model(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: not a checkpoint that training can continue from; "
            "remove the workdir or name another --workdir"
        ) from error
    for variable, value in zip(_random_states(model), state.pop("random_states"), strict=True):
        variable.assign(np.asarray(value, variable.dtype))
    metrics = state.pop("metrics")
    return model, Position(**state), metrics and [np.asarray(value) for value in metrics]


def _random_states(model: keras.Model) -> list[keras.Variable]:
    saved_by_keras = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in saved_by_keras]


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _link(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{os.getpid()}.{target.name}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, temporary)
    temporary.replace(target)
