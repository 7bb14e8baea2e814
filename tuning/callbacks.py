"""What trials do at the end of an epoch."""

import math
from pathlib import Path

import keras
import numpy as np

from tfseq import atomic_file, averaging


class StopAtNonFinite(keras.callbacks.Callback):
    """Ends a training that has diverged: no later epoch could mend it."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Looks at the losses."""
        if not np.isfinite(list(logs.values())).all():
            self.model.stop_training = True


class KeepBest(keras.callbacks.Callback):
    """Saves the model whenever its validation loss is the lowest so far.

    Args:
        saved: The model; it shares its weights with the one that fits.
        path: A .keras file.
    """

    def __init__(self, saved: keras.Model, path: Path) -> None:
        super().__init__()
        self._saved = saved
        self._path = path
        self._best = math.inf

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Saves, whole or not at all."""
        if logs["val_loss"] < self._best:
            self._best = logs["val_loss"]
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with (
                averaging.averages(self._saved.optimizer),
                atomic_file.replacing(self._path) as temporary,
            ):
                self._saved.save(temporary)
