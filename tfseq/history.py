"""What a training run says as it goes: a line an epoch, and a history that a kill leaves true."""

import time
from pathlib import Path

import keras

from tfseq import atomic_file


class EpochLine(keras.callbacks.Callback):
    """One line an epoch, for output that goes to a file.

    Args:
        epochs: Epochs of the run.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Prints the line."""
        values = "  ".join(f"{name} {value:.5g}" for name, value in logs.items())
        seconds = time.perf_counter() - self._start
        print(f"epoch {epoch + 1}/{self._epochs}  {values}  ({seconds:.1f} s)", flush=True)


def cut(path: Path, epochs: int) -> None:
    """Drops rows of epochs that a kill has undone, logged but not saved, and rows cut short.

    Args:
        path: The CSV file of `keras.callbacks.CSVLogger`; made room for if it is not there.
        epochs: Epochs that are saved.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        header, *rows = path.read_bytes().splitlines(keepends=True) or [b""]
        kept = [row for row in rows if row.endswith(b"\n") and int(row.split(b",")[0]) < epochs]
        atomic_file.write(path, b"".join([header, *kept]) if header.endswith(b"\n") else b"")
