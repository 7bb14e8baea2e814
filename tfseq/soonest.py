"""What labels records soonest by the layers of an export: own kernels, or XLA."""

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfseq import native
from tfseq.models import lowering
from tfseq.native import inference
from tfseq.native.frames import LoweredToFrames, has_frames
from tfseq.native.training import has_few_channels

_AT_A_TIME = 128  # records, which are computed together

Answer = Callable[[np.ndarray], np.ndarray | None]
"""Labels one record or more; returns None if something in them or their labels is not finite."""


def answer(network: keras.Model) -> Answer | None:
    """Returns what labels soonest; None if that is the model as it was exported.

    Args:
        network: A functional model, (batch, channels, steps) to (batch, steps).
    """
    if tf.config.list_logical_devices("GPU"):
        return _by_xla(network, lowering.inference(network))
    if lowering.is_dense(network):
        return None
    natively = inference.inference(network) if lowering.pays(network) else None
    if natively:
        return natively
    if has_frames(network) and not has_few_channels(network) and native.available():
        return _by_frames(network)
    return _by_xla(network, lowering.compiled_inference(network))


def _by_frames(network: keras.Model) -> Answer:
    """Returns what gives labels by kernels for many channels, and TensorFlow around them."""
    infer = tf.function(LoweredToFrames(network), autograph=False)
    size = tf.TensorSpec((None, *network.input.shape[1:]), tf.float32)
    infer = infer.get_concrete_function(size)

    def label(waveform: np.ndarray) -> np.ndarray | None:
        labels = np.empty((len(waveform), *network.output.shape[1:]), np.float32)
        for start in range(0, len(waveform), _AT_A_TIME):
            part = slice(start, start + _AT_A_TIME)
            if not _write(infer, waveform[part], labels[part]):
                return None
        return labels

    return label


def _by_xla(network: keras.Model, infer: Callable[[tf.Tensor], tf.Tensor]) -> Answer:
    """Returns what gives labels by XLA."""
    in_xla = tf.function(infer, jit_compile=True, autograph=False)
    shape = network.input.shape[1:]

    @functools.cache
    def compiled(records: int) -> Callable:
        # To look the shape up takes TensorFlow as long as one record of cnn.
        return in_xla.get_concrete_function(tf.TensorSpec((records, *shape), tf.float32))

    def label(waveform: np.ndarray) -> np.ndarray | None:
        records = len(waveform)
        size = min(1 << (records - 1).bit_length(), _AT_A_TIME)
        filled = waveform
        if records < size:
            filled = np.zeros((size, *shape), waveform.dtype)
            filled[:records] = waveform
        labels = np.empty((len(filled), *network.output.shape[1:]), np.float32)
        for start in range(0, records, size):
            # The last overlap those before: another number of records would be compiled.
            first = min(start, len(filled) - size)
            part = slice(first, first + size)
            if not _write(compiled(size), filled[part], labels[part]):
                return None
        return labels[:records]

    return label


def _write(
    infer: Callable[[tf.Tensor], tf.Tensor], waveform: np.ndarray, labels: np.ndarray
) -> bool:
    """Writes labels; returns whether all are finite, and all of which they were made."""
    labels[:] = infer(tf.constant(waveform)).numpy()
    # NumPy sees it three times as soon as XLA would.
    return bool(np.isfinite(waveform).all() and np.isfinite(labels).all())
