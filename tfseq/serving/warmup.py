"""The requests that a server runs before it answers its first client, and that a version must pass.

TF Serving replays `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLog, when
it loads a version: the first request of each kind costs some hundred times as much as the next.
`tfseq.infra_validator` replays the same file. Reading it needs no TensorFlow.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfseq import tfrecord_files
from tfseq.serving import wire

if TYPE_CHECKING:
    import keras

FILE = "assets.extra/tf_serving_warmup_requests"
_BATCH_SIZES = (1, 8, 32, 128)
_LARGEST_BATCH_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        signature: The signature that is to answer it.
        inputs: Its inputs by name: float32, or bytes as objects.
    """

    signature: str
    inputs: dict[str, np.ndarray]


def batch_sizes(waveform_shape: tuple[int, int]) -> tuple[int, ...]:
    """Returns the batch sizes that a server is to run a model with, in increasing order.

    Args:
        waveform_shape: (channels, steps). Of very long records fewer go into a batch.
    """
    record_bytes = 4 * waveform_shape[0] * waveform_shape[1]
    fitting = [size for size in _BATCH_SIZES if size * record_bytes <= _LARGEST_BATCH_BYTES]
    return tuple(fitting) or _BATCH_SIZES[:1]


def waveforms(model: "keras.Model") -> dict[int, np.ndarray]:
    """Returns a batch (size, channels, steps) float32 for each batch size.

    The first record is noise as large as what the model standardizes, or of variance 1. The others
    are flat, which leaves the file small: no record of a person is exported with a model.
    """
    import keras

    shape = model.inputs[0].shape[1:]
    record = np.random.default_rng(0).normal(size=shape)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            mean, variance = map(keras.ops.convert_to_numpy, (layer.mean, layer.variance))
            record = (record * np.sqrt(variance) + mean).reshape(shape)
    batches = {}
    for size in batch_sizes(shape):
        batches[size] = np.full((size, *shape), record[-1, -1], np.float32)
        batches[size][0] = record
    return batches


def requests(batches: dict[int, np.ndarray]) -> list[Request]:
    """Returns `serving_default` for every batch, and the other signatures for the smallest.

    Args:
        batches: What `waveforms` returned.
    """
    from tfseq.serving import signatures

    found = [Request("serving_default", {"waveform": batch}) for batch in batches.values()]
    smallest = batches[min(batches)]
    examples = np.array([signatures.example(record) for record in smallest], object)
    found.append(Request("serving_examples", {"examples": examples}))
    found.append(Request("validate", {"waveform": smallest}))
    return found


def write(folder: Path, model_name: str, to_replay: list[Request]) -> None:
    """Writes requests to where a server looks for them.

    Args:
        folder: A version.
        model_name: The name that clients would call the model by.
        to_replay: The requests.
    """
    import tensorflow as tf

    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in to_replay:
            log = wire.PredictionLog()
            predict = log.predict_log.request
            predict.model_spec.name = model_name
            predict.model_spec.signature_name = request.signature
            for name, values in request.inputs.items():
                wire.set_tensor(predict.inputs[name], values)
            writer.write(log.SerializeToString(deterministic=True))


def read(folder: Path) -> list[Request]:
    """Returns the requests of a version.

    Raises:
        OSError: If it has none.
        ValueError: If the file is not whole.
    """
    found = []
    for record in tfrecord_files.records(folder / FILE):
        predict = wire.PredictionLog.FromString(record).predict_log.request
        inputs = {name: wire.array(tensor) for name, tensor in predict.inputs.items()}
        found.append(Request(predict.model_spec.signature_name, inputs))
    return found
