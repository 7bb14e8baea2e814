"""Trains sequences with many channels by kernels, layer by layer, a record at a time.

Convolutions are products of matrices. TensorFlow takes a dilated one apart into shorter sequences
and puts it together again, and needs a dozen passes through memory for what a layer normalization,
an activation and their gradients do in one each.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfseq.models import blocks
from tfseq.models.image import Tensor
from tfseq.models.layer_graph import Place
from tfseq.models.lowering import Lowered
from tfseq.native.library import kernels
from tfseq.traced_once import TracedOnce

_VECTOR = 16  # numbers, of the widest


def has_frames(model: keras.Model) -> bool:
    """Whether a model has convolutions that these kernels know."""
    return any(_is_known(layer) for layer in model.layers)


class FramesTrained(TracedOnce, Lowered):
    """A lowered model that is trained and measured by kernels for many channels, on one processor.

    Args:
        model: As for `Lowered`.
    """

    on_one_thread = True

    def call(self, waveform: Tensor, training: bool = False) -> Tensor:
        """Computes the model's output."""
        return self.compute(_LAYOUT, waveform, training=training)


def _is_known(layer: layers.Layer) -> bool:
    if type(layer) is not layers.Conv1D or layer.compute_dtype != "float32":
        return False
    plain = layer.use_bias and layer.groups == 1 and layer.data_format == "channels_last"
    plain = plain and layer.activation is keras.activations.linear and layer.padding == "same"
    (taps,), (stride,), (dilation,) = layer.kernel_size, layer.strides, layer.dilation_rate
    channels = layer.kernel.shape[1]
    whole = channels % _VECTOR == 0 if stride == 1 else taps % stride == 0 and dilation == 1
    return plain and whole and layer.filters % _VECTOR == 0


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


def _activation(place: Place, x: Any) -> Tensor | None:
    layer = place.layer
    if layer.activation is not keras.activations.silu or layer.compute_dtype != "float32":
        return None
    output = kernels().operations.tfseq_silu(x)
    output.set_shape(x.shape)
    return output


def _layer_normalization(place: Place, x: Any) -> Tensor | None:
    layer = place.layer
    known = layer.scale and layer.center and not layer.rms_scaling
    known = known and layer.compute_dtype == "float32" and len(x.shape) == 3
    if not known or layer.gamma.shape != (x.shape[-1],) or x.shape[-1] % _VECTOR:
        return None
    weights = (tf.convert_to_tensor(each) for each in (layer.gamma, layer.beta))
    output = kernels().operations.tfseq_normalize_frames(x, *weights, epsilon=layer.epsilon)
    output.set_shape(x.shape)
    return output


_RULES: dict[type, Callable[..., Tensor | None]] = {
    layers.Activation: _activation,
    layers.Conv1D: _conv1d,
    layers.LayerNormalization: _layer_normalization,
}
_LAYOUT = dataclasses.replace(blocks.LAYOUT, sequence_rules=_RULES)


@tf.RegisterGradient("TfseqConvolveFrames")
def _gradients_of_convolution(forward: tf.Operation, upstream: Tensor) -> list[Tensor]:
    x, kernel, bias = forward.inputs
    settings = {name: forward.get_attr(name) for name in ("taps", "stride", "dilation")}
    operations = kernels().operations
    if settings["stride"] == 1:
        of_x = operations.tfseq_convolve_frames_of_input(upstream, kernel, **settings)
    else:  # left out of the graph, unless something before it is trained
        of_x = tf.nn.conv1d_transpose(
            upstream, kernel, tf.shape(x), settings["stride"], padding="SAME"
        )
    of_weights = operations.tfseq_convolve_frames_of_weights(x, upstream, **settings)
    return _shaped([of_x, *of_weights], (x, kernel, bias))


@tf.RegisterGradient("TfseqSilu")
def _gradient_of_silu(forward: tf.Operation, upstream: Tensor) -> Tensor:
    (x,) = forward.inputs
    return _shaped([kernels().operations.tfseq_silu_backward(x, upstream)], [x])[0]


@tf.RegisterGradient("TfseqNormalizeFrames")
def _gradients_of_normalization(forward: tf.Operation, upstream: Tensor) -> list[Tensor]:
    x, scale, shift = forward.inputs
    gradients = kernels().operations.tfseq_normalize_frames_backward(
        x, scale, upstream, epsilon=forward.get_attr("epsilon")
    )
    return _shaped(gradients, (x, scale, shift))


def _shaped(gradients: Sequence[Tensor], of: Sequence[Tensor]) -> list[Tensor]:
    for gradient, each in zip(gradients, of, strict=True):
        gradient.set_shape(each.shape)
    return list(gradients)
