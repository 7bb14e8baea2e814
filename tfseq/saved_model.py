"""Loads an exported model and runs it, as a server would."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfseq import json_file
from tfseq.errors import UserError

if TYPE_CHECKING:
    import keras

_FEW_WEIGHTS = 10**7
_WORTH_COMPILING = 10_000  # records


class SavedModel:
    """An exported model.

    Args:
        folder: A version folder, such as saved_models/cnn/1.

    Attributes:
        waveform_shape: (channels, steps) of its input.
        config: The settings that it was trained with; empty if they are not beside it.
        has_intervals: Whether it answers `interval` beside `label`.
        in_16_bits: Whether it computes in bfloat16 or float16.

    Raises:
        UserError: If there is no model in the folder, or it is not one of tfseq's.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        if not (folder / "saved_model.pb").is_file():
            raise UserError(f"--saved_model: no model in {folder}{_hint(folder)}")
        try:
            self._loaded = tf.saved_model.load(str(folder))
            self._serve = self._loaded.signatures["serving_default"]
            waveform = self._serve.structured_input_signature[1]["waveform"]
        except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
            raise UserError(
                f"--saved_model: {folder} does not hold a model with a signature "
                "serving_default(waveform) -> label that this TensorFlow can load"
            ) from error
        self.waveform_shape: tuple[int, int] = tuple(waveform.shape[1:])
        self._folder = folder
        self.has_intervals = "interval" in self._serve.structured_outputs
        config = folder / "config.json"
        self.config: dict[str, Any] = json_file.read(config) if config.is_file() else {}
        # Former versions exported float32 weights of what computes in 16 bits.
        narrow = any(each.dtype.size == 2 for each in self._serve.variables)
        self.in_16_bits = narrow or serves_16_bits(self.config)

    def predict(self, waveform: np.ndarray) -> np.ndarray:
        """Returns labels (batch, steps) float32 for waveforms (batch, channels, steps).

        They are computed in float32, whatever type the waveforms are of.

        Raises:
            UserError: If the model refuses them, such as for NaN.
        """
        return self._outputs(waveform)["label"].numpy()

    def interval(self, waveform: np.ndarray) -> np.ndarray:
        """Returns the lower and upper ends of the labels' intervals, (batch, 2, steps) float32.

        Raises:
            UserError: If the model refuses the waveforms, such as for NaN.
        """
        return self._outputs(waveform)["interval"].numpy()

    def half_width(self, waveform: np.ndarray) -> np.ndarray:
        """Returns half the widths of the intervals, (batch, steps)."""
        low, high = np.moveaxis(self.interval(waveform), 1, 0)
        return (high - low) / 2

    def labeller(self, records: int) -> Callable[[np.ndarray], np.ndarray]:
        """Returns what labels so many records, some at a time, soonest: `predict` or `compiled()`.

        Both give the same labels to 1e-5 or so; in 16 bits, where they would not, it is `predict`.
        """
        weights = sum(int(np.prod(each.shape)) for each in self._serve.variables)
        worth = records >= _WORTH_COMPILING and weights <= _FEW_WEIGHTS and not self.in_16_bits
        return self.compiled() if worth and self._architecture().is_file() else self.predict

    def compiled(self) -> Callable[[np.ndarray], np.ndarray]:
        """Returns `predict` for a loop that waits for each record, and for many records.

        On a processor tfseq's own kernels compute it, if they know all layers of a model of few
        channels, or convolutions of many, and can be built (`tfseq.native`); they take any number
        of records. Otherwise XLA does: more than 128 records are several calls, fewer are filled up
        to 1, 2, 4, ... 64 or 128, and the first call with each of these compiles, which takes
        seconds. A model of wide dense layers without convolutions is not compiled on a processor:
        XLA multiplies matrices more slowly.

        Labels are those of `predict` to 1e-5 or so, in 16 bits to a percent or so: XLA rounds at
        fewer places.

        Raises:
            UserError: If the model's layers are not beside it, as tfseq's exports have them.
        """
        from tfseq import soonest

        answer = soonest.answer(self._network())
        if answer is None:
            return self.predict

        def predict(waveform: np.ndarray) -> np.ndarray:
            label = None
            of_its_shape = waveform.shape[1:] == self.waveform_shape
            if len(waveform) and of_its_shape and waveform.dtype == np.float32:
                label = answer(waveform)
            # `predict` has an answer where the other has none, or says what it expects.
            return self.predict(waveform) if label is None else label

        return predict

    def _architecture(self) -> Path:
        from tfseq.serving import signatures

        return self._folder / signatures.ARCHITECTURE

    def _network(self) -> "keras.Model":
        """Returns the Keras model that was exported."""
        from tfseq import keras_file

        path = self._architecture()
        if not path.is_file():
            raise UserError(f"--saved_model: there is no {path} to compile; export the model again")
        architecture, variables = json_file.read(path), self._loaded.variables_served
        try:
            return keras_file.from_architecture(architecture, variables)
        except keras_file.DAMAGE as error:
            raise UserError(f"--saved_model: {path} does not fit the model beside it") from error

    def _outputs(self, waveform: np.ndarray) -> dict[str, tf.Tensor]:
        try:
            return self._serve(waveform=tf.constant(waveform, tf.float32))
        except tf.errors.InvalidArgumentError as error:
            refusal = re.search(r"assertion failed: \[(.*)\]", error.message)
            raise UserError(refusal[1] if refusal else error.message) from error


def serves_16_bits(config: dict[str, Any]) -> bool:
    """Whether what a run exports computes in 16 bits.

    Args:
        config: What a config.json holds, of a former version too.
    """
    mixed = config.get("precision", "float32") != "float32"
    return mixed and config.get("serving_precision", "trained") == "trained"


def _hint(folder: Path) -> str:
    versions = sorted(path.parent.name for path in folder.glob("*/saved_model.pb"))
    if versions:
        return (
            f"; it holds versions {', '.join(versions)}: name one, such as {folder / versions[-1]}"
        )
    return "; expected a version folder such as saved_models/cnn/1"
