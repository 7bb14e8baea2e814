"""How layers of two dimensions are computed in another layout.

A rule takes the place of a layer and its input, an `Image` or a plain tensor, and returns an
`Image`, or None where the layer has to be called as it is.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from tfseq.models.image import Convolution, Image
from tfseq.models.layer_graph import Place

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
    place: Place, layer: layers.Layer, offset: tuple[int, int], last: layers.Layer | None = None
) -> Convolution | None:
    """Returns a layer's convolution, unless the layout cannot do it.

    Args:
        place: A place in the model of the layer, and its layout.
        layer: A `Conv2D` or `Conv2DTranspose`.
        offset: Rows and steps that are padded before it or, transposed, cropped behind it.
        last: The layer whose output it has to give, if not `layer`.
    """
    if not is_simple(layer):
        return None
    convolution = Convolution(
        kernel=ops.convert_to_tensor(layer.kernel),
        bias=ops.convert_to_tensor(layer.bias),
        strides=layer.strides,
        transposed=isinstance(layer, layers.Conv2DTranspose),
        offset=offset,
        shape=(last or layer).output.shape[1:],
    )
    return convolution if place.layout.can_convolve(convolution) else None


def _padded(place: Place, layer: layers.Layer | None) -> Convolution | None:
    """Returns a convolution together with the zero padding before it."""
    if type(layer) is not layers.Conv2D or layer.padding != "valid":
        return None
    before = place.graph.previous(layer)
    if type(before) is not layers.ZeroPadding2D or place.graph.next(before) is not layer:
        return None
    return _convolution(place, layer, tuple(sides[0] for sides in before.padding))


def _conv2d(place: Place, value: Any) -> Image | None:
    layer = place.layer
    convolution = _padded(place, layer)
    if layer.padding == "valid":
        convolution = convolution or _convolution(place, layer, (0, 0))
    elif layer.strides == (1, 1) and all(size % 2 for size in layer.kernel_size):
        convolution = _convolution(place, layer, tuple(size // 2 for size in layer.kernel_size))
    if convolution is None:
        return None
    following = place.graph.next(layer)
    while isinstance(following, _KEEP_SHAPE):
        following = place.graph.next(following)
    return _image(place, value).convolve(convolution, pooled=_is_2x2(following))


def _zero_padding2d(place: Place, value: Any) -> Any:
    return value if _padded(place, place.graph.next(place.layer)) else None


def _conv2d_transpose(place: Place, value: Any) -> Image | None:
    layer, following = place.layer, place.graph.next(place.layer)
    if layer.padding != "valid" or layer.output_padding is not None:
        return None
    if isinstance(following, layers.Cropping2D):
        offset = tuple(sides[0] for sides in following.cropping)
        convolution = _convolution(place, layer, offset, last=following)
    else:
        convolution = _convolution(place, layer, (0, 0))
    if convolution is None:
        return None
    return _image(place, value).convolve(convolution, pooled=False)


def _image(place: Place, value: Any) -> Image:
    return value if isinstance(value, Image) else place.layout.from_plain(value)


def _is_2x2(layer: layers.Layer | None) -> bool:
    return (
        type(layer) is layers.MaxPooling2D
        and layer.pool_size == layer.strides == (2, 2)
        and layer.padding == "valid"
    )


def _is_done(place: Place, value: Image) -> bool:
    """Whether the layer before has done what a layer that shrinks an image does."""
    return value.shape == place.layer.output.shape[1:]


def _cropping2d(place: Place, value: Any) -> Image | None:
    return value if isinstance(value, Image) and _is_done(place, value) else None


def _max_pooling2d(place: Place, value: Any) -> Image | None:
    if not isinstance(value, Image) or not _is_2x2(place.layer):
        return None
    return value if _is_done(place, value) else value.max_pool()


def _activation(place: Place, value: Any) -> Image | None:
    layer = place.layer
    known = isinstance(layer, layers.LeakyReLU) or layer.activation in ELEMENTWISE
    if not known or not isinstance(value, Image):
        return None
    return value.map(layer)


def _dropout2d(place: Place, value: Any) -> Image | None:
    if not isinstance(value, Image):
        return None
    return value.drop_channels(place.layer, training=place.training)


def _batch_normalization(place: Place, value: Any) -> Image | None:
    if not isinstance(value, Image) or not has_all_weights(place.layer):
        return None
    pooled = _is_2x2(place.graph.next(place.layer))
    return value.normalize(place.layer, training=place.training, pooled=pooled)


RULES: dict[type, Callable[..., Image | None]] = {
    layers.Activation: _activation,
    layers.LeakyReLU: _activation,
    layers.BatchNormalization: _batch_normalization,
    layers.SpatialDropout2D: _dropout2d,
    layers.Conv2D: _conv2d,
    layers.Conv2DTranspose: _conv2d_transpose,
    layers.ZeroPadding2D: _zero_padding2d,
    layers.Cropping2D: _cropping2d,
    layers.MaxPooling2D: _max_pooling2d,
}
