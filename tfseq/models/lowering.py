"""Runs a Keras model in layouts that suit few channels; its layers and weights stay as they are.

`Lowered(model)` computes what `model` computes, from the very same variables: train the one, save,
export or evaluate the other. It goes through the layers of the model and does those that it knows
in blocks (`tfseq.models.blocks`, two dimensions) or lines (`tfseq.models.lines`, one dimension);
any other layer is called as it is. It is meant for `jit_compile=True`: without XLA, whole arrays
pass through memory between the small steps, and a training step takes as long as Keras's own.

`XlaInference(model)` does the same for inference, and under XLA alone: in strips
(`tfseq.models.strips`) instead of blocks. `of_one_record` does wide dense layers in parts
(`tfseq.models.wide_dense`). `tfseq.native.training` trains by own kernels.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from tfseq.models import blocks, image_rules, line_rules, lines, strips, wide_dense
from tfseq.models.image import Image, Layout, Tensor
from tfseq.models.layer_graph import LayerGraph, Place, inputs

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv2DTranspose)


def has_convolutions(model: keras.Model) -> bool:
    """Whether a model has convolutions."""
    return any(type(layer) in _CONVOLUTIONS for layer in model.layers)


def pays(model: keras.Model) -> bool:
    """Whether a model has layers that other layouts make faster: convolutions in float32."""
    return any(
        type(layer) in _CONVOLUTIONS and layer.compute_dtype == "float32" for layer in model.layers
    )


def inference(model: keras.Model) -> keras.Model:
    """Returns what computes a model's output fastest: the model lowered, if that pays."""
    return Lowered(model) if pays(model) else model


def compiled_inference(model: keras.Model) -> Callable[[Tensor], Tensor]:
    """Returns what XLA makes the fastest inference of, on a processor."""
    return XlaInference(model) if pays(model) else functools.partial(model, training=False)


def is_dense(model: keras.Model) -> bool:
    """Whether what a model computes is wide dense layers, and no convolutions that are lowered."""
    return of_one_record(model) is not None and not pays(model)


def of_one_record(model: keras.Model) -> Callable[[Tensor], Tensor] | None:
    """Returns what computes a model's output for a single record faster; None if nothing does."""
    if not any(wide_dense.is_wide(layer) for layer in model.layers):
        return None
    layout = wide_dense.LAYOUT
    return functools.partial(_run, model, LayerGraph(model), layout, training=False)


class Lowered(keras.Model):
    """A model whose layers are computed in other layouts.

    Args:
        model: A functional model with one input and one output, each of whose layers is used once.

    Example:
        >>> model = models.build("cnn")
        >>> fast = Lowered(model)
        >>> fast.compile("sgd", "mse", jit_compile=True)
        >>> fast.fit(waveforms, labels)  # trains `model`
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name=model.name)
        self.plain = model
        self.built = True
        self._graph = LayerGraph(model)

    def call(self, waveform: Tensor, training: bool = False) -> Tensor:
        """Computes the model's output."""
        return self.compute(blocks.LAYOUT, waveform, training=training)

    def compute(self, layout: Layout, waveform: Tensor, *, training: bool) -> Tensor:
        """Computes the model's output with its images in a layout."""
        return _run(self.plain, self._graph, layout, waveform, training=training)

    def make_test_function(self, force: bool = False) -> Callable[..., Any]:
        """Evaluates without XLA: compiling one more pass would take longer than it saves."""
        compiled, self.jit_compile = self.jit_compile, False
        try:
            return super().make_test_function(force)
        finally:
            self.jit_compile = compiled


class XlaInference:
    """The output of a model as XLA computes it fastest on a processor.

    Args:
        model: As for `Lowered`.

    Example:
        >>> infer = tf.function(XlaInference(model), jit_compile=True)
        >>> infer(waveforms)
    """

    def __init__(self, model: keras.Model) -> None:
        self._model, self._graph = model, LayerGraph(model)
        self._one = keras.Variable(1.0, trainable=False)

    def __call__(self, waveform: Tensor) -> Tensor:
        """Computes the model's output."""
        layout = strips.layout(keras.ops.convert_to_tensor(self._one))
        return _run(self._model, self._graph, layout, waveform, training=False)


def _run(
    model: keras.Model, graph: LayerGraph, layout: Layout, waveform: Tensor, *, training: bool
) -> Tensor:
    values = {id(model.input): waveform}
    for layer in model.layers[1:]:
        if layer.name in layout.inside:
            continue
        taken = [values.get(id(tensor)) for tensor in inputs(layer)]
        value = None
        for rules in (image_rules.RULES, layout.sequence_rules or line_rules.RULES):
            if value is None and type(layer) in rules and not layer.activity_regularizer:
                value = rules[type(layer)](Place(graph, layer, training, layout), *taken)
        if value is None:
            plain = [_to_plain(each) for each in taken]
            value = layer(plain if len(plain) > 1 else plain[0])
        values[id(layer.output)] = value
    return _to_plain(values[id(model.output)])


def _to_plain(value: Any) -> Tensor:
    if isinstance(value, Image):
        return value.to_plain()
    return lines.to_plain(value) if isinstance(value, tuple) else value
