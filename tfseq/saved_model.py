"""Loads an exported model and runs it, as a server would."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfseq import json_file
from tfseq.errors import UserError


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

    def compiled(self) -> Callable[[np.ndarray], np.ndarray]:
        """Returns `predict` compiled by XLA with the weights as constants, for a loop that waits.

        One record of the report's convolutional networks is answered in a third to a half of the
        time. The first call with each number of records compiles, which takes some seconds.

        Raises:
            UserError: If the model has no signature `validate`, which tfseq's exports have.
        """
        # Not public, but what TensorFlow's own converters freeze a graph with.
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        # XLA knows no assertions: what `predict` refuses, this signature marks.
        validate = self._loaded.signatures.get("validate")
        if validate is None:
            raise UserError("--saved_model: the model has no signature validate to compile")
        # Left as it is, control flow on the number of records falls away in compiling.
        frozen = convert_variables_to_constants_v2(validate, lower_control_flow=False)
        names = sorted(validate.structured_outputs)

        @tf.function(jit_compile=True, autograph=False)
        def answer(waveform: tf.Tensor) -> list[tf.Tensor]:
            return frozen(waveform)

        def predict(waveform: np.ndarray) -> np.ndarray:
            answers = dict(zip(names, answer(tf.constant(waveform)), strict=True))
            if np.all(answers["valid"]):
                return answers["label"].numpy()
            # Says why, or labels what is finite but beyond the schema's range.
            return self.predict(waveform)

        return predict

    def _outputs(self, waveform: np.ndarray) -> dict[str, tf.Tensor]:
        try:
            return self._serve(waveform=tf.constant(waveform))
        except tf.errors.InvalidArgumentError as error:
            refusal = re.search(r"assertion failed: \[(.*)\]", error.message)
            raise UserError(refusal[1] if refusal else error.message) from error


def _hint(folder: Path) -> str:
    versions = sorted(path.parent.name for path in folder.glob("*/saved_model.pb"))
    if versions:
        return (
            f"; it holds versions {', '.join(versions)}: name one, such as {folder / versions[-1]}"
        )
    return "; expected a version folder such as saved_models/cnn/1"
