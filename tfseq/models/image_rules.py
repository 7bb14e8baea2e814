"""How layers of two dimensions are computed in blocks of time.

A rule takes the place of a layer and its input, an `Image` or a plain tensor, and returns an
`Image`, or None where the layer has to be called as it is.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from tfseq.models import blocks
from tfseq.models.layer_graph import LayerGraph, Place

ELEMENTWISE = tuple(
    getattr(keras.activations, name)
    for name in ("relu", "tanh", "sigmoid", "elu", "gelu", "silu", "linear")
)
_KEEP_SHAPE = (
    layers.Activation,
    layers.LeakyReLU,
    layers.SpatialDropout2D,
    layers.BatchNormalization,
)


def is_simple(layer: layers.Layer) -> bool:
    """Whether a convolution is one that the report has: no groups, no dilation, a bias."""
    return (
        layer.data_format == "channels_last"
        and layer.use_bias
        and getattr(layer, "groups", 1) == 1
        and layer.activation is keras.activations.linear
        and all(rate == 1 for rate in layer.dilation_rate)
    )


def has_all_weights(layer: layers.BatchNormalization) -> bool:
    """Whether a batch normalization scales and shifts the channels."""
    return layer.scale and layer.center and layer.axis in {-1, len(layer.output.shape) - 1}


def _convolution(
    layer: layers.Layer, offset: tuple[int, int], last: layers.Layer | None = None
) -> blocks.Convolution | None:
    """Returns a layer's convolution, unless blocks cannot do it.

    Args:
        layer: A `Conv2D` or `Conv2DTranspose`.
        offset: Rows and steps that are padded before it or, transposed, cropped behind it.
        last: The layer whose output it has to give, if not `layer`.
    """
    if not is_simple(layer):
        return None
    convolution = blocks.Convolution(
        kernel=ops.convert_to_tensor(layer.kernel),
        bias=ops.convert_to_tensor(layer.bias),
        strides=layer.strides,
        transposed=isinstance(layer, layers.Conv2DTranspose),
        offset=offset,
        shape=(last or layer).output.shape[1:],
    )
    return convolution if convolution.fits() else None


def _padded(graph: LayerGraph, layer: layers.Layer | None) -> blocks.Convolution | None:
    """Returns a convolution together with the zero padding before it."""
    if type(layer) is not layers.Conv2D or layer.padding != "valid":
        return None
    before = graph.previous(layer)
    if type(before) is not layers.ZeroPadding2D or graph.next(before) is not layer:
        return None
    return _convolution(layer, tuple(sides[0] for sides in before.padding))


def _conv2d(place: Place, value: Any) -> blocks.Image | None:
    layer = place.layer
    convolution = _padded(place.graph, layer)
    if layer.padding == "valid":
        convolution = convolution or _convolution(layer, (0, 0))
    elif layer.strides == (1, 1) and all(size % 2 for size in layer.kernel_size):
        convolution = _convolution(layer, tuple(size // 2 for size in layer.kernel_size))
    if convolution is None:
        return None
    following = place.graph.next(layer)
    while isinstance(following, _KEEP_SHAPE):
        following = place.graph.next(following)
    return convolution(_image(value), windows=_is_2x2(following))


def _zero_padding2d(place: Place, value: Any) -> Any:
    return value if _padded(place.graph, place.graph.next(place.layer)) else None


def _conv2d_transpose(place: Place, value: Any) -> blocks.Image | None:
    layer, following = place.layer, place.graph.next(place.layer)
    if layer.padding != "valid" or layer.output_padding is not None:
        return None
    if isinstance(following, layers.Cropping2D):
        offset = tuple(sides[0] for sides in following.cropping)
        convolution = _convolution(layer, offset, last=following)
    else:
        convolution = _convolution(layer, (0, 0))
    return None if convolution is None else convolution(_image(value))


def _image(value: Any) -> blocks.Image:
    return value if isinstance(value, blocks.Image) else blocks.from_plain(value)


def _is_2x2(layer: layers.Layer | None) -> bool:
    return type(layer) is layers.MaxPooling2D and layer.pool_size == layer.strides == (2, 2)


def _cropping_or_pooling(place: Place, value: Any) -> blocks.Image | None:
    if not isinstance(value, blocks.Image):
        return None
    if value.shape == place.layer.output.shape[1:]:
        return value  # the layer before has done it
    if value.windows and value.exact and _is_2x2(place.layer):
        return blocks.max_pool(value)
    return None


def _activation(place: Place, value: Any) -> blocks.Image | None:
    layer = place.layer
    known = isinstance(layer, layers.LeakyReLU) or layer.activation in ELEMENTWISE
    if not known or not isinstance(value, blocks.Image):
        return None
    return value.replace(layer(value.rows))


def _dropout2d(place: Place, value: Any) -> blocks.Image | None:
    if not isinstance(value, blocks.Image):
        return None
    return blocks.drop_channels(place.layer, value, training=place.training)


def _batch_normalization(place: Place, value: Any) -> blocks.Image | None:
    if not isinstance(value, blocks.Image) or not value.exact or not has_all_weights(place.layer):
        return None
    pool = value.windows and _is_2x2(place.graph.next(place.layer))
    return blocks.normalize(place.layer, value, training=place.training, pool=pool)


RULES: dict[type, Callable[..., blocks.Image | None]] = {
    layers.Activation: _activation,
    layers.LeakyReLU: _activation,
    layers.BatchNormalization: _batch_normalization,
    layers.SpatialDropout2D: _dropout2d,
    layers.Conv2D: _conv2d,
    layers.Conv2DTranspose: _conv2d_transpose,
    layers.ZeroPadding2D: _zero_padding2d,
    layers.Cropping2D: _cropping_or_pooling,
    layers.MaxPooling2D: _cropping_or_pooling,
}
