"""Labels records on a processor with kernels of tfseq's own: no TensorFlow, no XLA.

A network is cut where it leaves its images: what lies between is a program of the kernels
(`tfseq.native.program`), which take one record after another through all of its layers, so that
what a layer writes is still in the cache when the next one reads it. The layers between programs,
dense ones and those that only move values, are NumPy's.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from tfseq.models import image_rules
from tfseq.models.image import Layout
from tfseq.models.layer_graph import LayerGraph, Place, inputs
from tfseq.native import library, sequence_rules
from tfseq.native.recorded import NotKnownError, Recorded, can_convolve
from tfseq.native.stage import Stage

Computed = Callable[[np.ndarray], np.ndarray | None]


def inference(model: keras.Model) -> "NativeInference | None":
    """Returns what the kernels make of a model, if they know all of it and can be built."""
    try:
        infer = NativeInference(model)
    except NotKnownError:
        return None
    return infer if library.available() else None


class NativeInference:
    """What a model computes, from the weights that it has now.

    Args:
        model: A functional model with one input and one output, each of whose layers is used once.

    Raises:
        NotKnownError: If the kernels do not know one of its layers.

    Example:
        >>> infer = NativeInference(models.build("cnn"))
        >>> infer(waveforms)
    """

    def __init__(self, model: keras.Model) -> None:
        self._stages = _Cutter(model).stages()

    def __call__(self, waveform: np.ndarray) -> np.ndarray | None:
        """Returns the output, or None if something that it reads or computes is not finite."""
        value = waveform
        for stage in self._stages:
            value = stage(value)
            if value is None:
                return None
        return value


@dataclasses.dataclass(frozen=True, eq=False)
class _Plain:
    """A value between programs.

    Attributes:
        shape: (None, ...), as Keras has it.
    """

    shape: tuple[int | None, ...]


class _Cutter:
    """Cuts a model into stages, each of which takes what the one before returns."""

    def __init__(self, model: keras.Model) -> None:
        self._model, self._graph = model, LayerGraph(model)
        self._layout = Layout(from_plain=self._image, can_convolve=can_convolve)
        self._stages: list[Computed] = []
        self._last = _Plain(model.input.shape)  # what the stages so far return
        self._begun: Recorded | None = None  # that as an image of a program, which is not ended

    def stages(self) -> list[Computed]:
        """Returns the stages."""
        values = {id(self._model.input): self._last}
        for layer in self._model.layers[1:]:
            if layer.compute_dtype != "float32":
                raise NotKnownError(layer.compute_dtype)
            taken = [values[id(tensor)] for tensor in inputs(layer)]
            values[id(layer.output)] = self._value(layer, taken)
        self._end(values[id(self._model.output)])
        return self._stages

    def _value(self, layer: layers.Layer, taken: list[Any]) -> Any:
        if type(layer) in _PLAIN_STAGES:
            (value,) = taken
            self._end(value)
            self._stages.append(_PLAIN_STAGES[type(layer)](layer))
            self._last = _Plain(layer.output.shape)
            return self._last
        rule = _RULES.get(type(layer))
        if rule is None:
            raise NotKnownError(layer.name)
        if type(layer) in _ALTER and self._graph.next(self._graph.previous(layer)) is not layer:
            raise NotKnownError(f"{layer.name} alters what another layer reads")
        place = Place(self._graph, layer, training=False, layout=self._layout)
        value = rule(place, *map(self._image, taken))
        if value is None:
            raise NotKnownError(layer.name)
        return value

    def _image(self, value: Any) -> Recorded:
        """Returns an image, with which a program begins if the value is plain."""
        if isinstance(value, Recorded):
            self._require_begun(value)
            return value
        if value is not self._last or len(value.shape) not in (3, 4):
            raise NotKnownError("what is no image, or was computed before")
        if self._begun is None:
            self._begun = Recorded.first(value.shape)
        return self._begun

    def _end(self, value: Any) -> None:
        """Ends the program that computes a value, if one does."""
        if isinstance(value, Recorded):
            self._require_begun(value)
            self._stages.append(value.to_plain())
            self._begun = None
        elif value is not self._last or self._begun:
            raise NotKnownError("what was computed before")

    def _require_begun(self, value: Recorded) -> None:
        if self._begun is None or value.program is not self._begun.program:
            raise NotKnownError("what was computed before")


def _reshape(layer: layers.Layer) -> Computed:
    return lambda x: x.reshape(len(x), *layer.output.shape[1:])


def _permute(layer: layers.Layer) -> Computed:
    return lambda x: x.transpose(0, *layer.dims)


def _dense(layer: layers.Layer) -> Computed:
    simple = layer.use_bias and layer.activation is keras.activations.linear
    if not simple or len(layer.input.shape) != 2:
        raise NotKnownError(layer.name)
    weights = [np.ravel(layer.kernel), np.asarray(layer.bias)]
    units = layer.units
    return Stage("dense", layer.kernel.shape, np.concatenate(weights), (units,))


def _standardize(layer: layers.Layer) -> Computed:
    deviation = np.maximum(np.sqrt(layer.variance), keras.config.epsilon())
    mean = np.array(layer.mean)
    return lambda x: (x - mean) / deviation


def _rescale(layer: layers.Layer) -> Computed:
    scale, offset = np.float32(layer.scale), np.float32(layer.offset)
    return lambda x: x * scale + offset


def _as_it_is(layer: layers.Layer) -> Computed:
    del layer
    return lambda x: x


_PLAIN_STAGES: dict[type, Callable[[layers.Layer], Computed]] = {
    layers.Reshape: _reshape,
    layers.Flatten: _reshape,
    layers.Permute: _permute,
    layers.Dense: _dense,
    layers.Normalization: _standardize,
    layers.Rescaling: _rescale,
    layers.Identity: _as_it_is,
    layers.Dropout: _as_it_is,
}

_ALTER = (
    *(layers.Activation, layers.LeakyReLU, layers.BatchNormalization, layers.SpatialDropout2D),
    *(layers.ZeroPadding1D, layers.Cropping1D, layers.ZeroPadding2D, layers.Cropping2D),
)
"""The layers that say something else of the image that they take, instead of writing another."""

_RULES = image_rules.RULES | sequence_rules.RULES
