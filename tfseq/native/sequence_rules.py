"""How layers of one dimension are written down: a sequence is an image of one row.

A rule takes the place of a layer and its inputs, and returns an image, or None where the layer has
to be called as it is.
"""

import functools
from collections.abc import Callable
from typing import Any

from keras import layers, ops

from tfseq.models import image_rules, line_rules
from tfseq.models.image import Convolution
from tfseq.models.layer_graph import Place
from tfseq.native.recorded import Recorded


def _image(place: Place, value: Any) -> Recorded:
    return value if isinstance(value, Recorded) else place.layout.from_plain(value)


def _conv1d(place: Place, value: Any) -> Recorded | None:
    layer = place.layer
    if not image_rules.is_simple(layer) or layer.padding != "valid":
        return None
    convolution = Convolution(
        kernel=ops.convert_to_tensor(layer.kernel)[None],
        bias=ops.convert_to_tensor(layer.bias),
        strides=(1, *layer.strides),
        transposed=False,
        offset=(0, 0),
        shape=(1, *layer.output.shape[1:]),
    )
    if not place.layout.can_convolve(convolution):
        return None
    return _image(place, value).convolve(convolution, pooled=False)


def _zero_padding1d(place: Place, value: Any) -> Recorded | None:
    if not isinstance(value, Recorded):
        return None
    return value.shifted(*place.layer.padding)


def _cropping1d(place: Place, value: Any) -> Recorded | None:
    if not isinstance(value, Recorded):
        return None
    return value.shifted(*(-steps for steps in place.layer.cropping))


def _max_pooling1d(place: Place, value: Any) -> Recorded | None:
    if not isinstance(value, Recorded) or not line_rules.is_of_pairs(place.layer):
        return None
    return value.pool(1)


def _add(place: Place, *values: Any) -> Recorded | None:
    if not any(isinstance(value, Recorded) for value in values):
        return None
    first, *others = (_image(place, value) for value in values)
    if any(other.shape != first.shape or other.program is not first.program for other in others):
        return None
    return functools.reduce(Recorded.add, others, first)


RULES: dict[type, Callable[..., Recorded | None]] = {
    layers.Conv1D: _conv1d,
    layers.ZeroPadding1D: _zero_padding1d,
    layers.Cropping1D: _cropping1d,
    layers.MaxPooling1D: _max_pooling1d,
    layers.Add: _add,
}
