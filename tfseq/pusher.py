"""Exports a model where TF Serving looks for it: `<base>/<version>/`.

A version appears by one rename, with all that it holds on the disk, and only once it has answered
its warm-up requests as the model does. A process that dies before leaves a hidden folder, which the
next push removes.
"""

import contextlib
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfseq import json_file
from tfseq.errors import UserError
from tfseq.export import Export
from tfseq.saved_model import serves_16_bits
from tfseq.serving import server_files, warmup

# No numbers: TF Serving passes over them.
_INCOMPLETE, _REMOVED = ".incomplete-", ".removed-"
# What TensorFlow puts around "<file>; No space left on device".
_WRAPPING = re.compile(r"^\{\{.*?\}\} | \[Op:\w+\]$")


def push(
    model: keras.Model,
    base: Path,
    documents: dict[str, Any],
    *,
    half_width: keras.Model | None = None,
    dataset: str | None = None,
    keep_versions: int | None = None,
) -> Path:
    """Writes a SavedModel as the next version; a server that watches sees it whole or not at all.

    Its signatures are those of `tfseq.serving.signatures`. Beside the model lie README.md, the
    model card, and the warm-up requests; beside the versions what `tfseq.serving.server_files`
    writes.

    Args:
        model: The model.
        base: The folder of this model's versions, for example saved_models/cnn.
        documents: What goes beside the model, by file name, written as JSON. The card is made of
            evaluation.json and config.json.
        half_width: What `tfseq.intervals` fitted to the model, to be exported with it.
        dataset: The data set's full name with its version, for the card.
        keep_versions: How many versions stay, the newest; all if None.

    Returns:
        The folder of the new version.

    Raises:
        UserError: If it cannot be written, or does not answer as the model does.
    """
    export = Export.of(model, documents, half_width=half_width, dataset=dataset)
    try:
        base.mkdir(parents=True, exist_ok=True)
        _remove_stale(base)
        with _temporary(base) as temporary:
            export.write(temporary)
            _sync(temporary)
            sizes = warmup.batch_sizes(model.inputs[0].shape[1:])
            server_files.write(base, model.name, sizes)
            version = _place(temporary, base)
        _sync_folder(base)
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or _WRAPPING.sub("", str(error))
        raise UserError(f"--export_dir: cannot write a version to {base}: {reason}") from error
    if keep_versions is not None:
        _keep(base, keep_versions)
    return version


def pushed(base: Path, named: str | None, config: dict[str, Any]) -> Path | None:
    """Returns the version that a run has pushed, if it is what it would push today.

    Args:
        base: The folder of this model's versions.
        named: The version that the run names; None if it names none.
        config: The settings of the run, of which some may change after the training.
    """
    if not named or Path(named).parent.resolve() != base.resolve():
        return None
    path = Path(named, "config.json")
    if not path.is_file():
        return None
    before = json_file.read(path)
    same = before.get("interval") == config["interval"]
    same = same and serves_16_bits(before) == serves_16_bits(config)
    return Path(named) if same else None


def versions(base: Path) -> list[int]:
    """Returns the numbers of the versions in a folder, in increasing order."""
    names = (path.name for path in base.iterdir())
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def next_version(base: Path) -> int:
    """Returns the number after the highest version in a folder."""
    return 1 + max(versions(base), default=0)


@contextlib.contextmanager
def _temporary(base: Path) -> Iterator[Path]:
    """Makes a hidden folder, locked for as long as its writer lives, and removes what is left."""
    folder = None
    with contextlib.ExitStack() as lock:
        # Between mkdir and the lock it looks like a dead writer's, and another may remove it.
        while folder is None or not folder.exists():
            lock.close()
            folder = base / f"{_INCOMPLETE}{uuid.uuid4().hex}"
            folder.mkdir()
            with contextlib.suppress(FileNotFoundError):
                lock.enter_context(_locked(folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Locks a folder; yields whether that was possible.

    The kernel lets a lock go with the process that holds it, however that ends. A number of a
    process would not do: it is given out again.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:  # it is locked, or the file system has no locks
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _remove_stale(base: Path) -> None:
    """Removes what writers that died have left."""
    for folder in base.glob(f"{_INCOMPLETE}*"):
        gone = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with gone, _locked(folder, wait=False) as dead:
            if dead:
                _remove(folder)
    for folder in base.glob(f"{_REMOVED}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Removes a folder at once, as whoever watches sees it."""
    hidden = folder.with_name(f"{_REMOVED}{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):  # another writer was faster
        folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _keep(base: Path, count: int) -> None:
    for number in versions(base)[:-count]:
        folder = base / str(number)
        try:
            if (folder / "saved_model.pb").is_file():
                _remove(folder)
        except OSError as error:
            raise UserError(
                f"--keep_versions: the new version is there, but {folder} cannot be removed: "
                f"{error.strerror}"
            ) from error
    _sync_folder(base)


def _place(temporary: Path, base: Path) -> Path:
    while True:
        target = base / str(next_version(base))
        try:
            return temporary.rename(target)
        except OSError:
            if not target.exists():  # not a version that another writer has just placed
                raise


def _sync(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            with (Path(parent) / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(parent))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
