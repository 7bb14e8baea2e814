"""What is timed: training steps and inference of each model, in tfseq and in PyTorch.

Each function builds one contender and returns a function without arguments that does one call. On
TensorFlow, which measures the processor, a call is one step, from NumPy arrays to a NumPy array.
On Keras's JAX backend, which measures the GPU, a call is `CALL_STEPS` steps in a row on arrays that
are on the device: of training and labelling it waits for the last, of inference for each.
"""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.torch_settings import TORCH
from tfseq import cli, configs, models

if TYPE_CHECKING:
    import keras

BACKENDS = ("tensorflow", "jax")
CALL_STEPS = {"tensorflow": 1, "jax": 10}
AS_THEY_ARE = "tfseq layers as they are"
PORTABLE = "tfseq portable"
BFLOAT16 = "tfseq mixed_bfloat16"
STRIPS = "tfseq in strips"
EXPORT = "tfseq export"
EXPORT_COMPILED = "tfseq export compiled"
# All but the two that are compared at the least.
OPTIONAL = (PORTABLE, AS_THEY_ARE, BFLOAT16, STRIPS, EXPORT, EXPORT_COMPILED, *list(TORCH)[1:])
# Before JAX and Keras are imported; contenders share a GPU.
JAX_ENVIRONMENT = {"KERAS_BACKEND": "jax", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
# Its answer, where it trains, is the loss.
Step = Callable[[], float | None]
_WITH_IMAGES = ("cnn", "conv_ae")


def sides(model: str, *, training: bool, backend: str = "tensorflow") -> list[str]:
    """Returns the names of the contenders for a model."""
    theirs = [name for name in TORCH if model == "mlp" or "bfloat16" not in name]
    if training or backend == "tensorflow":
        theirs = [name for name in theirs if "weights" not in name]
    if model not in (*_WITH_IMAGES, "seqnet"):
        theirs = [name for name in theirs if "channels_last" not in name]
    if model == "mlp":
        ours = ["tfseq", BFLOAT16] if training or backend == "jax" else ["tfseq", EXPORT]
    elif backend == "jax":
        ours = ["tfseq", AS_THEY_ARE]
        if not training and model in _WITH_IMAGES:
            ours.append(STRIPS)
    elif training and model == "seqnet":
        ours = ["tfseq"]  # PORTABLE would take half a minute to compile
    elif training:
        ours = ["tfseq", PORTABLE, AS_THEY_ARE]
    else:
        ours = ["tfseq", EXPORT, EXPORT_COMPILED]
    return ours + theirs


def network(model: str) -> "keras.Model":
    """Returns a model of tfseq as its settings have it, which show `seqnet` several views."""
    config = configs.get(model)
    return models.build(**config.model.to_dict(), views=config.transform.views)


def data(batch_size: int, steps: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Returns waveforms (batch_size, 4, steps) and labels (batch_size, steps), float32."""
    random = np.random.default_rng(0)
    waveform = random.random((batch_size, 4, steps), np.float32)
    return waveform, 4 * random.random((batch_size, steps), np.float32)


def training(
    side: str, model: str, batch_size: int, backend: str = "tensorflow", steps: int = 4000
) -> Step:
    """Returns a call that trains with the model's optimizer: the report's, or its settings'."""
    return _side(side, backend).training(side, model, *data(batch_size, steps))


def inference(side: str, model: str, batch_size: int, backend: str = "tensorflow") -> Step:
    """Returns a call of a model."""
    return _side(side, backend).inference(side, model, data(batch_size)[0], in_a_row=False)


def labelling(side: str, model: str, batch_size: int, backend: str) -> Step:
    """Returns calls of a model as for many records: no answer is waited for but the last."""
    return _side(side, backend).inference(side, model, data(batch_size)[0], in_a_row=True)


def _side(side: str, backend: str):
    """Imports what only this contender needs."""
    if side in TORCH:
        # PyTorch's CUDA build loads triton where it is installed, which crashes beside TensorFlow.
        if backend == "tensorflow":
            sys.modules.setdefault("triton", None)
        from benchmarks.torch_side import TorchSide

        return TorchSide(backend)
    if backend == "jax":
        os.environ.update(JAX_ENVIRONMENT)
        from benchmarks import jax_side

        return jax_side
    cli.import_tensorflow()  # as tfseq's commands do
    from benchmarks import tensorflow_side

    return tensorflow_side
