"""The layers of a functional model, and which stands behind which."""

import dataclasses

import keras
from keras import layers

from tfseq.models.image import Layout


class LayerGraph:
    """Who takes whose output.

    Args:
        model: A functional model each of whose layers is used once.
    """

    def __init__(self, model: keras.Model) -> None:
        self._producers = {id(layer.output): layer for layer in model.layers}
        self._consumers: dict[str, list[layers.Layer]] = {layer.name: [] for layer in model.layers}
        for layer in model.layers:
            for tensor in inputs(layer):
                self._consumers[self._producers[id(tensor)].name].append(layer)

    def next(self, layer: layers.Layer) -> layers.Layer | None:
        """Returns the one layer that takes what this one puts out, or None if there are more."""
        consumers = self._consumers[layer.name]
        return consumers[0] if len(consumers) == 1 else None

    def consumers(self, layer: layers.Layer) -> list[layers.Layer]:
        """Returns the layers that take what this one puts out."""
        return self._consumers[layer.name]

    def previous(self, layer: layers.Layer) -> layers.Layer:
        """Returns the layer whose output this one takes."""
        return self._producers[id(layer.input)]

    def producers(self, layer: layers.Layer) -> list[layers.Layer]:
        """Returns the layers whose outputs this one takes, in order."""
        return [self._producers[id(tensor)] for tensor in inputs(layer)]


@dataclasses.dataclass(frozen=True)
class Place:
    """A layer among the others.

    Attributes:
        graph: The others.
        layer: The layer.
        training: Whether the model is being trained.
        layout: How images are laid out.
    """

    graph: LayerGraph
    layer: layers.Layer
    training: bool
    layout: Layout


def inputs(layer: layers.Layer) -> list[keras.KerasTensor]:
    """Returns what a layer takes, in order; nothing for an input layer."""
    if isinstance(layer, layers.InputLayer):
        return []
    return layer.input if isinstance(layer.input, list) else [layer.input]
