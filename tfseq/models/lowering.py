"""Runs a Keras model with layouts that suit few channels; its layers and weights stay what they are.

`Lowered(model)` computes what `model` computes, from the very same variables: train the one, save,
export or evaluate the other. It goes through the layers of the model and does those that it knows
in blocks (`tfseq.models.blocks`, two dimensions) or lines (`tfseq.models.lines`, one dimension);
any other layer is called as it is. It is meant for `jit_compile=True`: without XLA, whole arrays
pass through memory between the small steps, and Keras's own layers are as fast.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from tfseq.models import blocks, lines

Tensor = Any
_FEW = 4  # pairs of channel and filter up to which shifted sums beat Keras's convolution


class Lowered(keras.Model):
    """A model whose layers are computed in other layouts.

    Args:
        model: A functional model with one input and one output, each of whose layers is used once.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name=model.name)
        self.plain = model
        self.built = True

        self._producers = {id(layer.output): layer for layer in model.layers}
        self._consumers: dict[str, list[layers.Layer]] = {layer.name: [] for layer in model.layers}
        for layer in model.layers:
            for tensor in _inputs(layer):
                self._consumers[self._producers[id(tensor)].name].append(layer)

    def call(self, waveform: Tensor, training: bool = False) -> Tensor:
        """Computes the model's output."""
        values = {id(self.plain.input): waveform}
        for layer in self.plain.layers[1:]:
            inputs = [values[id(tensor)] for tensor in _inputs(layer)]
            rule = _RULES.get(type(layer))
            value = rule(_Place(self, layer, training), *inputs) if rule else None
            if value is None:
                plain = [_to_plain(each) for each in inputs]
                value = layer(plain if len(plain) > 1 else plain[0])
            values[id(layer.output)] = value
        return _to_plain(values[id(self.plain.output)])

    def next(self, layer: layers.Layer) -> layers.Layer | None:
        """Returns the one layer that takes what this one puts out, or None if there are more."""
        consumers = self._consumers[layer.name]
        return consumers[0] if len(consumers) == 1 else None

    def previous(self, layer: layers.Layer) -> layers.Layer:
        """Returns the layer whose output this one takes."""
        return self._producers[id(layer.input)]



@dataclasses.dataclass(frozen=True)
class _Place:
    """A layer among others."""

    graph: Lowered
    layer: layers.Layer
    training: bool

    @property
    def next(self) -> layers.Layer | None:
        return self.graph.next(self.layer)

    def pooled_later(self) -> bool:
        """Whether nothing but layers that keep the shape stands before a 2 x 2 pooling."""
        layer = self.next
        while isinstance(layer, _KEEP_SHAPE):
            layer = self.graph.next(layer)
        return _is_2x2(layer)


def _inputs(layer: layers.Layer) -> list[keras.KerasTensor]:
    if isinstance(layer, layers.InputLayer):
        return []
    return layer.input if isinstance(layer.input, list) else [layer.input]


def _to_plain(value: Any) -> Tensor:
    if isinstance(value, blocks.Image):
        return blocks.to_plain(value)
    return lines.to_plain(value) if isinstance(value, tuple) else value


def _conv2d(place: _Place, value: Any) -> blocks.Image | None:
    layer = place.layer
    padding = _padding(place)
    if not _is_simple(layer) or padding is None:
        return None
    image = value if isinstance(value, blocks.Image) else blocks.from_plain(value)
    convolution = blocks.Convolution(
        kernel=ops.convert_to_tensor(layer.kernel),
        bias=ops.convert_to_tensor(layer.bias),
        strides=layer.strides,
        transposed=False,
        offset=padding,
        shape=layer.output.shape[1:],
    )
    return convolution(image, windows=place.pooled_later())


def _padding(place: _Place) -> tuple[int, int] | None:
    """Returns the zeros above and left of what a convolution takes; None if that is not known."""
    layer = place.layer
    if layer.padding == "same":
        odd = all(size % 2 for size in layer.kernel_size) and layer.strides == (1, 1)
        return tuple(size // 2 for size in layer.kernel_size) if odd else None
    before = place.graph.previous(layer)
    if isinstance(before, layers.ZeroPadding2D) and _is_fused_padding(place.graph, before):
        return tuple(sides[0] for sides in before.padding)
    return (0, 0)


def _is_fused_padding(graph: Lowered, layer: layers.ZeroPadding2D) -> bool:
    following = graph.next(layer)
    return type(following) is layers.Conv2D and _is_simple(following)


def _zero_padding2d(place: _Place, value: Any) -> Any:
    return value if _is_fused_padding(place.graph, place.layer) else None


def _conv2d_transpose(place: _Place, value: Any) -> blocks.Image | None:
    layer, last, crop = place.layer, place.layer, ((0, 0), (0, 0))
    if not _is_simple(layer) or layer.padding != "valid" or layer.output_padding is not None:
        return None
    if isinstance(place.next, layers.Cropping2D):
        last, crop = place.next, place.next.cropping
    image = value if isinstance(value, blocks.Image) else blocks.from_plain(value)
    convolution = blocks.Convolution(
        kernel=ops.convert_to_tensor(layer.kernel),
        bias=ops.convert_to_tensor(layer.bias),
        strides=layer.strides,
        transposed=True,
        offset=tuple(sides[0] for sides in crop),
        shape=last.output.shape[1:],
    )
    return convolution(image)


def _is_simple(layer: layers.Layer) -> bool:
    return (
        layer.data_format == "channels_last"
        and layer.use_bias
        and getattr(layer, "groups", 1) == 1
        and layer.activation is keras.activations.linear
        and all(rate == 1 for rate in layer.dilation_rate)
    )


def _is_2x2(layer: layers.Layer | None) -> bool:
    return type(layer) is layers.MaxPooling2D and layer.pool_size == layer.strides == (2, 2)


def _done_before(place: _Place, value: Any) -> Any:
    """A cropping or pooling that the layer before has done."""
    if isinstance(value, blocks.Image):
        if value.shape == place.layer.output.shape[1:]:
            return value
        if value.windows and value.exact and _is_2x2(place.layer):
            return blocks.max_pool(value)
    return None


def _activation(place: _Place, value: Any) -> Any:
    layer = place.layer
    if isinstance(layer, layers.Activation) and layer.activation not in _ELEMENTWISE:
        return None
    if isinstance(value, blocks.Image):
        return value.replace(layer(value.rows))
    return tuple(map(layer, value)) if isinstance(value, tuple) else None


def _dropout2d(place: _Place, value: Any) -> Any:
    if not isinstance(value, blocks.Image):
        return None
    return blocks.drop_channels(place.layer, value, training=place.training)


def _batch_normalization(place: _Place, value: Any) -> Any:
    if isinstance(value, tuple):
        return lines.normalize(place.layer, value, training=place.training)
    if isinstance(value, blocks.Image) and value.exact:
        pool = value.windows and _is_2x2(place.next)
        return blocks.normalize(place.layer, value, training=place.training, pool=pool)
    return None


def _conv1d(place: _Place, value: Any) -> lines.Line | None:
    layer = place.layer
    small = layer.kernel.shape[1] * layer.filters <= _FEW
    if not (_is_simple(layer) and small and layer.padding == "valid" and layer.strides == (1,)):
        return None
    line = value if isinstance(value, tuple) else lines.from_plain(value)
    kernel, bias = ops.convert_to_tensor(layer.kernel), ops.convert_to_tensor(layer.bias)
    return lines.convolve(kernel, bias, line)


def _zero_padding1d(place: _Place, value: Any) -> Any:
    return lines.pad(value, *place.layer.padding) if isinstance(value, tuple) else None


def _cropping1d(place: _Place, value: Any) -> Any:
    return lines.crop(value, *place.layer.cropping) if isinstance(value, tuple) else None


def _max_pooling1d(place: _Place, value: Any) -> Any:
    layer = place.layer
    if not isinstance(value, tuple) or layer.pool_size != (2,) or layer.strides != (2,):
        return None
    return lines.max_pool(value)


def _add(place: _Place, *values: Any) -> Any:
    del place
    if not any(isinstance(value, tuple) for value in values):
        return None
    return lines.add(
        [value if isinstance(value, tuple) else lines.from_plain(value) for value in values]
    )


_ELEMENTWISE = tuple(
    getattr(keras.activations, name)
    for name in ("relu", "tanh", "sigmoid", "elu", "gelu", "silu", "linear")
)
_KEEP_SHAPE = (
    layers.Activation,
    layers.LeakyReLU,
    layers.SpatialDropout2D,
    layers.BatchNormalization,
)
_RULES: dict[type, Callable[..., Any]] = {
    layers.Activation: _activation,
    layers.LeakyReLU: _activation,
    layers.BatchNormalization: _batch_normalization,
    layers.SpatialDropout2D: _dropout2d,
    layers.Conv2D: _conv2d,
    layers.Conv2DTranspose: _conv2d_transpose,
    layers.ZeroPadding2D: _zero_padding2d,
    layers.Cropping2D: _done_before,
    layers.MaxPooling2D: _done_before,
    layers.Conv1D: _conv1d,
    layers.ZeroPadding1D: _zero_padding1d,
    layers.Cropping1D: _cropping1d,
    layers.MaxPooling1D: _max_pooling1d,
    layers.Add: _add,
}
