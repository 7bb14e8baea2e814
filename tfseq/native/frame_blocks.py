"""Residual blocks of sequences with many channels, each an operation with all that lies inside.

What its layers would write to memory for one another stays in the cache, a record at a time, and
but for what the convolution wrote is computed again for the gradients.
"""

import dataclasses
from collections.abc import Sequence
from typing import Self

import keras
import tensorflow as tf
from keras import layers

from tfseq.models.image import Tensor
from tfseq.models.layer_graph import LayerGraph
from tfseq.native.library import kernels

VECTOR = 16  # numbers, of the widest


@dataclasses.dataclass(frozen=True)
class FrameBlock:
    """The layers of a block, as in `tfseq.models.seqnet`.

    Attributes:
        norm: Normalizes the channels of each frame.
        convolution: A convolution that may be dilated.
        activation: SiLU.
        mean: The average over the frames.
        squeeze: A dense layer.
        gate: SiLU.
        excite: A dense layer.
        context: The sum of `activation` and `excite`.
        dropout: Of whole channels.
        mixing: A convolution of one tap.
        sum: The sum of what `norm` takes and `mixing`.
    """

    norm: layers.LayerNormalization
    convolution: layers.Conv1D
    activation: layers.Activation
    mean: layers.GlobalAveragePooling1D
    squeeze: layers.Dense
    gate: layers.Activation
    excite: layers.Dense
    context: layers.Add
    dropout: layers.SpatialDropout1D
    mixing: layers.Conv1D
    sum: layers.Add

    @classmethod
    def ending_with(cls, summed: layers.Layer, graph: LayerGraph) -> Self | None:
        """Returns the block that ends with a layer, if one does that the kernels know."""
        if type(summed) is not layers.Add or len(terms := graph.producers(summed)) != 2:
            return None
        x, mixing = terms
        back = [mixing]
        for kind in (layers.SpatialDropout1D, layers.Add):
            back.append(_previous(graph, back[-1], kind))
        if back[-1] is None or len(terms := graph.producers(back[-1])) != 2:
            return None
        activation, excite = terms
        context = [excite]
        for kind in (layers.Activation, layers.Dense, layers.GlobalAveragePooling1D):
            context.append(_previous(graph, context[-1], kind))
        convolution = _previous(graph, activation, layers.Conv1D)
        norm = _previous(graph, convolution, layers.LayerNormalization)
        found = [norm, convolution, activation, *reversed(context), *reversed(back), summed]
        types = [field.type for field in dataclasses.fields(cls)]
        if [type(layer) for layer in found] != types:
            return None
        block = cls(*found)
        whole = graph.producers(norm) == [x] and graph.previous(block.mean) is activation
        return block if whole and block._is_alone(graph) and block._is_known() else None

    @property
    def inside(self) -> list[str]:
        """The names of all layers but the last."""
        return [layer.name for layer in self._layers[:-1]]

    @property
    def weights(self) -> list[keras.Variable]:
        """What it learns, as the kernels take it."""
        others = (self.convolution, self.squeeze, self.excite, self.mixing)
        kernels_and_biases = (array for each in others for array in (each.kernel, each.bias))
        return [self.norm.gamma, self.norm.beta, *kernels_and_biases]

    def __call__(self, x: Tensor, *, training: bool) -> Tensor:
        """Computes (batch, steps, channels) of such values."""
        masks = tf.zeros((0,), tf.float32)
        if training and self.dropout.rate:
            masks = self.dropout(tf.ones((tf.shape(x)[0], 1, x.shape[-1])), training=True)
        (dilation,) = self.convolution.dilation_rate
        output, _ = kernels().operations.tfseq_frame_block(
            x,
            masks,
            *(tf.convert_to_tensor(each) for each in self.weights),
            dilation=dilation,
            epsilon=self.norm.epsilon,
        )
        return shaped([output], [x])[0]

    @property
    def _layers(self) -> list[layers.Layer]:
        return [getattr(self, field.name) for field in dataclasses.fields(self)]

    def _is_alone(self, graph: LayerGraph) -> bool:
        """Whether nothing else takes what its layers but the last put out."""
        names = {*self.inside, self.sum.name}
        consumers = (layer for inside in self._layers[:-1] for layer in graph.consumers(inside))
        return all(layer.name in names for layer in consumers)

    def _is_known(self) -> bool:
        for layer in self._layers:
            if layer.compute_dtype != "float32" or layer.activity_regularizer:
                return False
        channels = self.convolution.kernel.shape[1]
        known = is_plain(self.convolution) and is_plain(self.mixing) and normalizes(self.norm)
        for dense in (self.squeeze, self.excite):
            known = known and dense.use_bias and dense.activation is keras.activations.linear
        for each in (self.activation, self.gate):
            known = known and each.activation is keras.activations.silu
        same = self.convolution.filters == self.mixing.filters == self.excite.units == channels
        strides = self.convolution.strides == self.mixing.kernel_size == self.mixing.strides == (1,)
        averages = self.mean.keepdims and self.mean.data_format == "channels_last"
        return known and same and strides and averages and channels % VECTOR == 0


def is_plain(layer: layers.Conv1D | layers.Conv1DTranspose) -> bool:
    """Whether a convolution has a bias, all channels in all filters, and nothing more."""
    plain = layer.use_bias and layer.data_format == "channels_last"
    plain = plain and getattr(layer, "groups", 1) == 1
    return plain and layer.activation is keras.activations.linear and layer.padding == "same"


def normalizes(layer: layers.LayerNormalization) -> bool:
    """Whether a normalization is of the channels of each frame, with scale and shift."""
    known = layer.scale and layer.center and not layer.rms_scaling and len(layer.input.shape) == 3
    return known and [axis % 3 for axis in layer.axis] == [2]


def shaped(gradients: Sequence[Tensor], of: Sequence[Tensor]) -> list[Tensor]:
    """Gives what operations return, whose shapes TensorFlow does not know, the shapes of others."""
    for gradient, each in zip(gradients, of, strict=True):
        gradient.set_shape(each.shape)
    return list(gradients)


def _previous(
    graph: LayerGraph, layer: layers.Layer | None, kind: type[layers.Layer]
) -> layers.Layer | None:
    """Returns the one layer before a layer, if it is of a kind."""
    before = graph.producers(layer) if layer else []
    return before[0] if len(before) == 1 and type(before[0]) is kind else None


@tf.RegisterGradient("TfseqFrameBlock")
def _gradients_of_block(forward: tf.Operation, upstream: Tensor, _: Tensor) -> list[Tensor | None]:
    x, masks, *weights = forward.inputs
    of_x, *of_weights = kernels().operations.tfseq_frame_block_backward(
        x,
        masks,
        forward.outputs[1],
        upstream,
        *weights,
        dilation=forward.get_attr("dilation"),
        epsilon=forward.get_attr("epsilon"),
    )
    of_x, *of_weights = shaped([of_x, *of_weights], [x, *weights])
    return [of_x, None, *of_weights]
