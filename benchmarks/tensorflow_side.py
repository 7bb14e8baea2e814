"""tfseq on TensorFlow: training steps as `tfseq.train` does them, models compiled, exports."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks import contenders
from benchmarks.contenders import AS_THEY_ARE, BFLOAT16, EXPORT, EXPORT_COMPILED, PORTABLE
from tfseq import configs, training_step
from tfseq.models import lowering
from tfseq.saved_model import SavedModel
from tfseq.serving import session, signatures

_MANY = 10**6  # records an epoch: enough to compile for
_LOWERINGS = {AS_THEY_ARE: "never", PORTABLE: "portable"}


def training(side: str, name: str, waveform: np.ndarray, label: np.ndarray) -> Callable[[], float]:
    """A step as `tfseq.train` does it."""
    config = configs.get(name)
    config.lowering = _LOWERINGS.get(side, "auto")
    if side == BFLOAT16:
        config.precision = "mixed_bfloat16"
        keras.config.set_dtype_policy("mixed_bfloat16")
    model = training_step.new_model(config, waveform.shape[1:])
    model = training_step.to_fit(model, config, _MANY, training_step.make_strategy("one_device"))
    batches = iter(tf.data.Dataset.from_tensors((waveform, label)).cache().repeat().prefetch(2))
    model.make_train_function()
    return lambda: float(model.train_function(batches)["loss"])


def inference(side: str, name: str, waveform: np.ndarray, *, in_a_row: bool) -> Callable[[], None]:
    """One call, from a NumPy array to a NumPy array, which is there when it ends."""
    del in_a_row
    network = contenders.network(name)
    if side in (EXPORT, EXPORT_COMPILED):
        return _export(network, waveform, compiled=side == EXPORT_COMPILED)
    one = lowering.of_one_record(network) if len(waveform) == 1 else None
    infer = one or lowering.compiled_inference(network)
    infer = tf.function(infer, jit_compile=lowering.pays(network))
    return lambda: infer(waveform).numpy()


def _export(network: keras.Model, waveform: np.ndarray, *, compiled: bool) -> Callable[[], None]:
    """The export in TensorFlow's C++ session, which TF Serving runs it in, or compiled by XLA."""
    with tempfile.TemporaryDirectory() as folder:
        signatures.save(network, Path(folder))
        if compiled:
            predict = SavedModel(folder).compiled()
            return lambda: predict(waveform)
        served = session.Session(Path(folder))
    return lambda: served.run("serving_default", {"waveform": waveform})
