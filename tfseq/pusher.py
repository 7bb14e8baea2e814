"""Exports a model where TF Serving looks for it: `<base>/<version>/`."""

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf


def push(model: keras.Model, base: Path, documents: dict[str, Any]) -> Path:
    """Writes a SavedModel as the next version; a server that watches sees it whole or not at all.

    Its signature `serving_default` maps `waveform` (batch, channels, steps) float32 to `label`
    (batch, steps) float32.

    Args:
        model: The model.
        base: The folder of this model's versions, for example saved_models/cnn.
        documents: What goes beside the model, by file name, written as JSON.

    Returns:
        The folder of the new version.
    """
    base.mkdir(parents=True, exist_ok=True)
    # Not a number: TF Serving passes over it until it is renamed.
    temporary = base / f".incomplete-{uuid.uuid4().hex}"
    try:
        _save(model, temporary)
        for name, content in documents.items():
            text = json.dumps(content, indent=2) + "\n"
            (temporary / name).write_text(text, encoding="utf-8")
        return _place(temporary, base)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def next_version(base: Path) -> int:
    """Returns the number after the highest version in a folder."""
    return 1 + max((int(p.name) for p in base.iterdir() if p.name.isdigit()), default=0)


def _place(temporary: Path, base: Path) -> Path:
    while True:
        target = base / str(next_version(base))
        try:
            return temporary.rename(target)
        except OSError:
            if not target.exists():  # not a version that another writer has just placed
                raise


def _save(model: keras.Model, folder: Path) -> None:
    channels, steps = model.inputs[0].shape[1:]

    @tf.function(
        input_signature=[tf.TensorSpec((None, channels, steps), tf.float32, name="waveform")]
    )
    def serve(waveform: tf.Tensor) -> dict[str, tf.Tensor]:
        # TensorFlow's convolutions fail on no records at all.
        label = tf.cond(
            tf.shape(waveform)[0] > 0,
            lambda: model(waveform, training=False),
            lambda: tf.zeros((0, steps)),
        )
        return {"label": label}

    module = tf.Module()
    # The variables beneath Keras's: saving the model itself would store every weight twice.
    module.variables_served = [variable.value for variable in model.variables]
    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
