"""One record through dense layers with many weights, on all cores.

Fetching the weights is all the work there is: 864 MB of the report's MLP. TensorFlow multiplies a
single vector with a matrix on one core, which on some machines cannot fetch as much as all of them.
Here the vector and the matrix are split into up to 16 parts, for the matrix parts of its rows,
which costs nothing, and TensorFlow multiplies them side by side. The sum of the products is the
layer's, rounded at other places. In 16 bits the sum of the parts would be rounded too: layers that
compute in these are called as they are.
"""

import dataclasses
import functools
import operator
from typing import Any

from keras import layers, ops

from tfseq.models import blocks, line_rules
from tfseq.models.image import Tensor
from tfseq.models.layer_graph import Place

_MANY_WEIGHTS = 1 << 22  # more than a core's caches hold
_PARTS = 16
_ALIGNED = 16  # float32 values; TensorFlow copies a part that begins elsewhere


def is_wide(layer: layers.Layer) -> bool:
    """Whether a layer is one that this is for."""
    return (
        type(layer) is layers.Dense
        and layer.compute_dtype == "float32"
        and layer.kernel.shape[0] * layer.units >= _MANY_WEIGHTS
    )


def _can_be(layer: layers.Dense, parts: int) -> bool:
    """Whether a layer's rows are so many equal parts of whole lines of memory."""
    rows = layer.kernel.shape[0]
    return parts == 1 or (rows % parts == 0 and rows // parts * layer.units % _ALIGNED == 0)


def _dense(place: Place, value: Any) -> Tensor | None:
    layer = place.layer
    if not is_wide(layer) or isinstance(value, tuple) or len(value.shape) != 2:
        return None
    parts = max(count for count in range(1, _PARTS + 1) if _can_be(layer, count))
    pieces = ops.split(value, parts, axis=1)
    matrices = ops.split(ops.convert_to_tensor(layer.kernel), parts, axis=0)
    output = functools.reduce(operator.add, map(ops.matmul, pieces, matrices))
    if layer.use_bias:
        output = output + ops.convert_to_tensor(layer.bias)
    return layer.activation(output)


LAYOUT = dataclasses.replace(
    blocks.LAYOUT, sequence_rules=line_rules.RULES | {layers.Dense: _dense}
)
"""How a model is computed for one record."""
