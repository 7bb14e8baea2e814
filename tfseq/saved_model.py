"""Loads an exported model and runs it, as a server would."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfseq import json_file
from tfseq.errors import UserError

_AT_A_TIME = 16
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
        # XLA knows no assertions: what `predict` refuses, this signature marks.
        self._validate = self._loaded.signatures.get("validate")
        weights = sum(int(np.prod(each.shape)) for each in self._serve.variables)
        self._has_few_weights = weights <= _FEW_WEIGHTS
        self.has_intervals = "interval" in self._serve.structured_outputs
        config = folder / "config.json"
        self.config: dict[str, Any] = json_file.read(config) if config.is_file() else {}

    def predict(self, waveform: np.ndarray) -> np.ndarray:
        """Returns labels (batch, steps) float32 for waveforms (batch, channels, steps) float32.

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

        Both give the same labels to 1e-6 or so.
        """
        worth = records >= _WORTH_COMPILING and self._has_few_weights
        return self.compiled() if worth and self._validate is not None else self.predict

    def compiled(self) -> Callable[[np.ndarray], np.ndarray]:
        """Returns `predict` compiled by XLA with the weights as constants.

        For a loop that waits for each record, and for many records. Up to 16 records are a call of
        XLA, and more are several: between the layers of so few, nothing leaves the processor's
        caches. The first call with one of those numbers of records compiles, which takes seconds.

        Raises:
            UserError: If the model has no signature `validate`, which tfseq's exports have.
        """
        if self._validate is None:
            raise UserError("--saved_model: the model has no signature validate to compile")
        compiled = _compile(self._validate)

        def predict(waveform: np.ndarray) -> np.ndarray:
            records = len(waveform)
            # Weights that no cache holds are read once for all records.
            size = min(records, _AT_A_TIME) if self._has_few_weights else records
            answer = compiled(size)
            labels = np.empty((records, self.waveform_shape[1]), np.float32)
            for start in range(0, records, size or 1):
                # The last overlap those before: another number of records would be compiled.
                first = min(start, records - size)
                label, valid = answer(tf.constant(waveform[first : first + size]))
                if not np.all(valid):
                    # Says why, or labels what is finite but beyond the schema's range.
                    return self.predict(waveform)
                labels[first : first + size] = label
            return labels

        return predict

    def _outputs(self, waveform: np.ndarray) -> dict[str, tf.Tensor]:
        try:
            return self._serve(waveform=tf.constant(waveform))
        except tf.errors.InvalidArgumentError as error:
            refusal = re.search(r"assertion failed: \[(.*)\]", error.message)
            raise UserError(refusal[1] if refusal else error.message) from error


def _compile(validate: Callable) -> Callable[[int], Callable]:
    """Returns what gives, for a number of records, a compiled function to (label, valid)."""
    # Not public, but what TensorFlow's own converters freeze a graph with.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    # Left as it is, control flow on the number of records falls away in compiling.
    frozen = convert_variables_to_constants_v2(validate, lower_control_flow=False)
    names = sorted(validate.structured_outputs)

    @tf.function(jit_compile=True, autograph=False)
    def answer(waveform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        outputs = dict(zip(names, frozen(waveform), strict=True))
        return outputs["label"], outputs["valid"]

    @functools.cache
    def compiled(records: int) -> Callable:
        # Called for one shape: to look the shape up takes as long as one record of cnn.
        _, *shape = frozen.inputs[0].shape
        return answer.get_concrete_function(tf.TensorSpec((records, *shape), tf.float32))

    return compiled


def _hint(folder: Path) -> str:
    versions = sorted(path.parent.name for path in folder.glob("*/saved_model.pb"))
    if versions:
        return (
            f"; it holds versions {', '.join(versions)}: name one, such as {folder / versions[-1]}"
        )
    return "; expected a version folder such as saved_models/cnn/1"
