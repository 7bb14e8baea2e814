"""What a training run says as it goes: a line an epoch, and a history that a kill leaves true."""

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseq import atomic_file


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's log for TensorBoard, epoch by epoch, without what it leaves in memory.

    TensorFlow 2.21 keeps every Python number that it has ever made a tensor of: 0.85 KB each. Keras
    has it make some of each step's losses, which an epoch's log does not even hold.

    Args:
        folder: Where the logs go.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder, write_graph=False)

    @property
    def summary(self) -> type["_Summary"]:
        """What the logs are written with."""
        return _Summary

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Writes nothing."""
        super().on_train_batch_end(batch, None)


class _Summary:
    """`tf.summary`, with arrays in place of Python's numbers: those are not kept.

    Nor does it import the plugins of TensorBoard, as `tf.summary.scalar` does: 0.1 s.
    """

    create_file_writer = tf.summary.create_file_writer

    @staticmethod
    def scalar(name: str, value: Any, step: Any) -> None:
        plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        tf.summary.write(
            name,
            np.asarray(value, np.float32),
            step=np.asarray(step) if isinstance(step, int) else step,
            metadata=tf.compat.v1.SummaryMetadata(plugin_data=plugin),
        )


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
