"""What an export computes its labels by: operations that every TensorFlow has, without XLA."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfseq.models import blocks, line_rules, lowering
from tfseq.models.image import Tensor
from tfseq.models.layer_graph import Place


def inference(model: keras.Model) -> keras.Model:
    """Returns what computes a model's output fastest in a server: the model lowered, if that pays.

    Products of matrices are faster than TensorFlow's convolutions of few channels. One of many
    channels that is dilated is one operation, as TensorFlow has it for images: for sequences it
    takes them apart into shorter ones, and puts those together again.
    """
    return _Served(model) if lowering.pays(model) else model


class _Served(lowering.Lowered):
    def call(self, waveform: Tensor, training: bool = False) -> Tensor:
        return self.compute(_LAYOUT, waveform, training=training)


def _conv1d(place: Place, value: Any) -> Any:
    layer = place.layer
    known = layer.groups == 1 and layer.data_format == "channels_last" and layer.padding != "causal"
    dilated = layer.dilation_rate != (1,) and layer.compute_dtype == "float32"
    if not (known and dilated) or isinstance(value, tuple):
        return line_rules.RULES[layers.Conv1D](place, value)
    y = tf.nn.conv2d(
        value[:, tf.newaxis],
        tf.convert_to_tensor(layer.kernel)[tf.newaxis],
        strides=1,
        padding=layer.padding.upper(),
        dilations=(1, *layer.dilation_rate),
    )
    if layer.use_bias:
        y = tf.nn.bias_add(y, tf.convert_to_tensor(layer.bias))
    return layer.activation(y[:, 0])


_RULES = line_rules.RULES | {layers.Conv1D: _conv1d}
_LAYOUT = dataclasses.replace(blocks.LAYOUT, sequence_rules=_RULES)
