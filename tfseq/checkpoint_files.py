"""The files of a run's checkpoints: written whole or not at all, and read only if they are whole.

A checkpoint is a .keras file (model, weights, optimizer) with one more entry: what Keras does not
save. That is the position in the run, the states of the random generators (dropout), the running
metrics of a half-finished epoch, and the best epoch so far. The order of the batches need not be
saved: see `tfseq.example_gen`. Being a zip archive, it carries a CRC-32 of each entry.

There are `last.keras`, `previous.keras`, from which a run goes on if the last is damaged, and
`best.keras`, of the epoch with the lowest validation loss.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import zipfile
from pathlib import Path

import keras
import numpy as np
from absl import logging

from tfseq import atomic_file, keras_file
from tfseq.errors import UserError

_STATE = "training_state.json"
_LAST, _PREVIOUS, _BEST = "last.keras", "previous.keras", "best.keras"


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


@dataclasses.dataclass(frozen=True)
class Restored:
    """A checkpoint that was read.

    Attributes:
        path: Its file.
        model: The compiled model with its optimizer and random states.
        position: The position of the run.
        metrics: The running metrics, if it stands within an epoch.
    """

    path: Path
    model: keras.Model
    position: Position
    metrics: list[np.ndarray] | None


def exist(folder: Path) -> bool:
    """Whether a folder holds a run."""
    return any((folder / name).is_file() for name in (_LAST, _PREVIOUS))


def best(folder: Path) -> Path:
    """Returns the checkpoint with the lowest validation loss."""
    return folder / _BEST


def save(
    model: keras.Model,
    position: Position,
    metrics: list[np.ndarray] | None,
    folder: Path,
    *,
    is_best: bool = False,
) -> None:
    """Writes the last checkpoint; the one before it becomes the previous one.

    Args:
        model: With its optimizer.
        position: Where the run stands.
        metrics: Values of the running metrics, within an epoch.
        folder: Where the checkpoints go.
        is_best: Whether it is the best checkpoint too: the same bytes under two names.

    Raises:
        UserError: If it cannot be written, for want of room, say. What was there stays.
    """
    temporary = _write(model, position, metrics, folder)
    try:
        # Before the last one says which epoch is the best.
        if is_best:
            atomic_file.link(temporary, best(folder))
        if (folder / _LAST).is_file():
            atomic_file.link(folder / _LAST, folder / _PREVIOUS)
        temporary.replace(folder / _LAST)
    finally:
        temporary.unlink(missing_ok=True)


def save_best(model: keras.Model, position: Position, folder: Path) -> None:
    """Writes the best checkpoint where it is not the last one as well.

    Raises:
        UserError: If it cannot be written, for want of room, say. What was there stays.
    """
    _write(model, position, None, folder).replace(folder / _BEST)


def restore(folder: Path) -> Restored | None:
    """Reads the newest checkpoint that is whole; says which are damaged.

    What a process that was killed while it wrote has left is removed. A last one that is damaged is
    set aside: the next save would put it in the place of the previous one, which is whole.

    Returns:
        The checkpoint; None if there is none at all.

    Raises:
        UserError: If there are some, and all are damaged.
    """
    for leftover in folder.glob(".[0-9]*keras"):
        if not _is_running(int(leftover.name.split(".")[1])):
            leftover.unlink(missing_ok=True)
    damaged = []
    for path in (folder / _LAST, folder / _PREVIOUS):
        if not path.is_file():
            continue
        try:
            restored = _read(path)
        except keras_file.DAMAGE:
            damaged.append(path)
            continue
        for each in damaged:
            logging.warning("%s is damaged and passed over", each)
            with contextlib.suppress(FileNotFoundError):  # another worker has done so
                each.replace(each.with_suffix(".damaged"))
        return restored
    if not damaged:
        return None
    raise UserError(
        f"{damaged[0]}: not a checkpoint that training can continue from; remove the workdir or "
        "name another --workdir"
    )


def describe(folder: Path) -> dict[str, int | str]:
    """Returns epoch, step and a digest of the checkpoint that `restore` would read, unread.

    Returns:
        By name; empty if there is none that is whole.
    """
    for path in (folder / _LAST, folder / _PREVIOUS):
        try:
            keras_file.require_whole(path)
            with zipfile.ZipFile(path) as archive:
                state = json.loads(archive.read(_STATE))
                checksums = sorted((each.filename, each.CRC) for each in archive.infolist())
        except keras_file.DAMAGE:
            continue
        digest = hashlib.sha256(repr(checksums).encode()).hexdigest()
        return {"epoch": state["epoch"], "step": state["step"], "digest": digest}
    return {}


def read_best(folder: Path) -> keras.Model:
    """Returns the model of the best checkpoint.

    Raises:
        UserError: If it is damaged.
    """
    try:
        return _read(best(folder)).model
    except keras_file.DAMAGE as error:
        raise _best_is_damaged(folder) from error


def load_best(model: keras.Model, folder: Path) -> None:
    """Gives a model the weights of the best checkpoint.

    Raises:
        UserError: If it is damaged.
    """
    path = best(folder)
    try:
        keras_file.require_whole(path)
        keras_file.load_weights(model, path)
    except keras_file.DAMAGE as error:
        raise _best_is_damaged(folder) from error


def _best_is_damaged(folder: Path) -> UserError:
    return UserError(
        f"{best(folder)} is damaged, and with it the weights of the best epoch; remove the workdir "
        "or name another --workdir"
    )


def _write(
    model: keras.Model, position: Position, metrics: list[np.ndarray] | None, folder: Path
) -> Path:
    """Returns a file with a checkpoint, on the disk, under a name that is none of a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    state = dataclasses.asdict(position)
    state["random_states"] = [v.numpy().tolist() for v in _random_states(model)]
    state["metrics"] = metrics and [value.tolist() for value in metrics]
    temporary = folder / f".{os.getpid()}.keras"
    try:
        keras_file.save(model, temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_STATE, json.dumps(state))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UserError(
                f"{folder}: cannot write a checkpoint: {error.strerror or error}; the same command "
                "goes on from the one before it"
            ) from error
        raise
    return temporary


def _read(path: Path) -> Restored:
    keras_file.require_whole(path)
    with zipfile.ZipFile(path) as archive:
        state = json.loads(archive.read(_STATE))
    model = keras_file.load(path)
    for variable, value in zip(_random_states(model), state.pop("random_states"), strict=True):
        variable.assign(np.asarray(value, variable.dtype))
    metrics = state.pop("metrics")
    return Restored(
        path, model, Position(**state), metrics and [np.asarray(value) for value in metrics]
    )


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _random_states(model: keras.Model) -> list[keras.Variable]:
    saved_by_keras = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in saved_by_keras]
