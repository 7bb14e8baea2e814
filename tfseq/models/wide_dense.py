"""One record through dense layers with many weights, on all cores.

Fetching the weights is all the work there is: 864 MB of the report's MLP. TensorFlow multiplies a
single vector with a matrix on one core, which cannot fetch as much as all of them. Here the matrix
is taken as a batch of up to 16 matrices, each of so many rows, which costs nothing, and the vector
as a batch of pieces: TensorFlow gives the products of a batch to all cores. Their sum is the
layer's, rounded at other places. In 16 bits the sum of the parts would be rounded too: layers that
compute in these are called as they are.
"""

import dataclasses
from typing import Any

from keras import layers, ops

from tfseq.models import blocks, line_rules
from tfseq.models.image import Tensor
from tfseq.models.layer_graph import Place

_MANY_WEIGHTS = 1 << 22  # more than a core's caches hold
_PARTS = 16


def is_wide(layer: layers.Layer) -> bool:
    """Whether a layer is one that this is for."""
    return (
        type(layer) is layers.Dense
        and layer.compute_dtype == "float32"
        and layer.kernel.shape[0] * layer.units >= _MANY_WEIGHTS
    )


def _dense(place: Place, value: Any) -> Tensor | None:
    layer = place.layer
    if not is_wide(layer) or isinstance(value, tuple) or len(value.shape) != 2:
        return None
    size = layer.kernel.shape[0]
    parts = max(count for count in range(1, _PARTS + 1) if size % count == 0)
    kernel = ops.reshape(ops.convert_to_tensor(layer.kernel), (parts, size // parts, layer.units))
    # Right for any number of records: from a shape that holds for one alone TensorFlow's constant
    # folding concludes that there is one, and computes it for none too.
    pieces = ops.reshape(value, (-1, parts, 1, size // parts))
    output = ops.sum(ops.matmul(pieces, kernel), axis=(1, 2))
    if layer.use_bias:
        output = output + ops.convert_to_tensor(layer.bias)
    return layer.activation(output)


LAYOUT = dataclasses.replace(
    blocks.LAYOUT, sequence_rules=line_rules.RULES | {layers.Dense: _dense}
)
"""How a model is computed for one record."""
