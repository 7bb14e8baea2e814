"""Sequences with many channels by kernels, layer by layer, a record at a time.

Convolutions are products of matrices. TensorFlow takes a dilated one apart into shorter sequences
and puts it together again, and needs a dozen passes through memory for what a layer normalization,
an activation and their gradients do in one each. Whole residual blocks are an operation
(`tfseq.native.frame_blocks`).
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfseq.models import blocks
from tfseq.models.image import Tensor
from tfseq.models.layer_graph import Place
from tfseq.models.lowering import Lowered
from tfseq.native.frame_blocks import (
    VECTOR,
    FrameBlock,
    is_plain,
    normalizes,
    shaped,
)
from tfseq.native.library import kernels
from tfseq.traced_once import TracedOnce


def has_frames(model: keras.Model) -> bool:
    """Whether a model has convolutions that these kernels know."""
    return any(_is_known(layer) for layer in model.layers)


class LoweredToFrames(TracedOnce, Lowered):
    """A model that is trained, and labels, by kernels for many channels, on one processor.

    Args:
        model: As for `Lowered`.
    """

    on_one_thread = True

    def __init__(self, model: keras.Model) -> None:
        super().__init__(model)
        found = (FrameBlock.ending_with(layer, self._graph) for layer in model.layers)
        blocks_by_sum = {block.sum.name: block for block in found if block}
        self._layout = dataclasses.replace(
            blocks.LAYOUT,
            sequence_rules=_RULES | {layers.Add: functools.partial(_sum, blocks_by_sum)},
            inside=frozenset(name for each in blocks_by_sum.values() for name in each.inside),
        )

    def call(self, waveform: Tensor, training: bool = False) -> Tensor:
        """Computes the model's output."""
        return self.compute(self._layout, waveform, training=training)


def _is_known(layer: layers.Layer) -> bool:
    if type(layer) is not layers.Conv1D or layer.compute_dtype != "float32":
        return False
    (taps,), (stride,), (dilation,) = layer.kernel_size, layer.strides, layer.dilation_rate
    channels = layer.kernel.shape[1]
    whole = channels % VECTOR == 0 if stride == 1 else taps % stride == 0 and dilation == 1
    return is_plain(layer) and whole and layer.filters % VECTOR == 0


def _conv1d(place: Place, x: Any) -> Tensor | None:
    layer = place.layer
    if not _is_known(layer):
        return None
    (taps,), (stride,), (dilation,) = layer.kernel_size, layer.strides, layer.dilation_rate
    weights = (tf.convert_to_tensor(each) for each in (layer.kernel, layer.bias))
    output = kernels().operations.tfseq_convolve_frames(
        x, *weights, taps=taps, stride=stride, dilation=dilation
    )
    output.set_shape((x.shape[0], *layer.output.shape[1:]))
    return output


def _conv1d_transpose(place: Place, x: Any) -> Tensor | None:
    layer = place.layer
    (taps,), (stride,) = layer.kernel_size, layer.strides
    _, filters, channels = layer.kernel.shape
    columns = filters if stride == 1 else taps * filters
    whole = taps % stride == 0 and columns % VECTOR == 0 and channels % VECTOR == 0
    plain = is_plain(layer) and layer.output_padding is None and layer.dilation_rate == (1,)
    if not (whole and plain and layer.compute_dtype == "float32"):
        return None
    # What it computes is the gradient of a convolution.
    output = kernels().operations.tfseq_convolve_frames_of_input(
        x, tf.convert_to_tensor(layer.kernel), taps=taps, stride=stride, dilation=1
    )
    output.set_shape((x.shape[0], *layer.output.shape[1:]))
    return output + tf.convert_to_tensor(layer.bias)


def _activation(place: Place, x: Any) -> Tensor | None:
    layer = place.layer
    if layer.activation is not keras.activations.silu or layer.compute_dtype != "float32":
        return None
    output = kernels().operations.tfseq_silu(x)
    output.set_shape(x.shape)
    return output


def _layer_normalization(place: Place, x: Any) -> Tensor | None:
    layer = place.layer
    known = layer.compute_dtype == "float32" and normalizes(layer)
    if not known or x.shape[-1] % VECTOR:
        return None
    weights = (tf.convert_to_tensor(each) for each in (layer.gamma, layer.beta))
    output = kernels().operations.tfseq_normalize_frames(x, *weights, epsilon=layer.epsilon)
    output.set_shape(x.shape)
    return output


def _sum(found: Mapping[str, FrameBlock], place: Place, *terms: Any) -> Tensor | None:
    block = found.get(place.layer.name)
    return block(terms[0], training=place.training) if block else None


_RULES: dict[type, Callable[..., Tensor | None]] = {
    layers.Activation: _activation,
    layers.Conv1D: _conv1d,
    layers.Conv1DTranspose: _conv1d_transpose,
    layers.LayerNormalization: _layer_normalization,
}


@tf.RegisterGradient("TfseqConvolveFrames")
def _gradients_of_convolution(forward: tf.Operation, upstream: Tensor) -> list[Tensor]:
    x, kernel, bias = forward.inputs
    settings = _settings(forward)
    operations = kernels().operations
    if settings["stride"] == 1:
        of_x = operations.tfseq_convolve_frames_of_input(upstream, kernel, **settings)
    else:  # left out of the graph, unless something before it is trained
        of_x = tf.nn.conv1d_transpose(
            upstream, kernel, tf.shape(x), settings["stride"], padding="SAME"
        )
    of_weights = operations.tfseq_convolve_frames_of_weights(x, upstream, **settings)
    return shaped([of_x, *of_weights], (x, kernel, bias))


@tf.RegisterGradient("TfseqConvolveFramesOfInput")
def _gradients_of_transposed(forward: tf.Operation, upstream: Tensor) -> list[Tensor]:
    x, kernel = forward.inputs
    settings = _settings(forward)
    operations = kernels().operations
    no_bias = tf.zeros(kernel.shape[-1:])
    of_x = operations.tfseq_convolve_frames(upstream, kernel, no_bias, **settings)
    of_kernel, _ = operations.tfseq_convolve_frames_of_weights(upstream, x, **settings)
    return shaped([of_x, of_kernel], (x, kernel))


def _settings(convolution: tf.Operation) -> dict[str, int]:
    return {name: convolution.get_attr(name) for name in ("taps", "stride", "dilation")}


@tf.RegisterGradient("TfseqSilu")
def _gradient_of_silu(forward: tf.Operation, upstream: Tensor) -> Tensor:
    (x,) = forward.inputs
    return shaped([kernels().operations.tfseq_silu_backward(x, upstream)], [x])[0]


@tf.RegisterGradient("TfseqNormalizeFrames")
def _gradients_of_normalization(forward: tf.Operation, upstream: Tensor) -> list[Tensor]:
    x, scale, shift = forward.inputs
    gradients = kernels().operations.tfseq_normalize_frames_backward(
        x, scale, upstream, epsilon=forward.get_attr("epsilon")
    )
    return shaped(gradients, (x, scale, shift))
