"""How layers of one dimension are computed in lines, channel by channel.

A rule takes the place of a layer and its inputs, lines (tuples of channels) or plain tensors, and
returns a line, or None where the layer has to be called as it is.
"""

from collections.abc import Callable
from typing import Any

from keras import layers, ops

from tfseq.models import lines
from tfseq.models.image_rules import ELEMENTWISE, has_all_weights, is_simple
from tfseq.models.layer_graph import Place

_FEW = 4  # pairs of channel and filter up to which shifted sums beat Keras's convolution


def is_small(layer: layers.Layer) -> bool:
    """Whether a layer is a convolution that lines can do, and do faster than Keras."""
    return (
        type(layer) is layers.Conv1D
        and layer.kernel.shape[1] * layer.filters <= _FEW
        and is_simple(layer)
        and layer.padding == "valid"
        and layer.strides == (1,)
    )


def is_of_pairs(layer: layers.MaxPooling1D) -> bool:
    """Whether a pooling takes the larger of every two steps, and no odd last one."""
    return layer.pool_size == layer.strides == (2,) and layer.padding == "valid"


def _conv1d(place: Place, value: Any) -> lines.Line | None:
    layer = place.layer
    if not is_small(layer):
        return None
    kernel, bias = ops.convert_to_tensor(layer.kernel), ops.convert_to_tensor(layer.bias)
    return lines.convolve(kernel, bias, _line(value), training=place.training)


def _line(value: Any) -> lines.Line:
    return value if isinstance(value, tuple) else lines.from_plain(value)


def _activation(place: Place, value: Any) -> lines.Line | None:
    layer = place.layer
    known = isinstance(layer, layers.LeakyReLU) or layer.activation in ELEMENTWISE
    return tuple(map(layer, value)) if known and isinstance(value, tuple) else None


def _batch_normalization(place: Place, value: Any) -> lines.Line | None:
    if not isinstance(value, tuple) or not has_all_weights(place.layer):
        return None
    return lines.normalize(place.layer, value, training=place.training)


def _zero_padding1d(place: Place, value: Any) -> lines.Line | None:
    return lines.pad(value, *place.layer.padding) if isinstance(value, tuple) else None


def _cropping1d(place: Place, value: Any) -> lines.Line | None:
    return lines.crop(value, *place.layer.cropping) if isinstance(value, tuple) else None


def _max_pooling1d(place: Place, value: Any) -> lines.Line | None:
    if not isinstance(value, tuple) or not is_of_pairs(place.layer):
        return None
    return lines.max_pool(value, training=place.training)


def _add(place: Place, *values: Any) -> lines.Line | None:
    del place
    if not any(isinstance(value, tuple) for value in values):
        return None
    return lines.add([_line(value) for value in values])


RULES: dict[type, Callable[..., lines.Line | None]] = {
    layers.Activation: _activation,
    layers.LeakyReLU: _activation,
    layers.BatchNormalization: _batch_normalization,
    layers.Conv1D: _conv1d,
    layers.ZeroPadding1D: _zero_padding1d,
    layers.Cropping1D: _cropping1d,
    layers.MaxPooling1D: _max_pooling1d,
    layers.Add: _add,
}
