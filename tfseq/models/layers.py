"""Layers as PyTorch defines them: its padding, its constants and its default initialization.

Images are (batch, height, width, channels) and sequences (batch, steps, channels): Keras's order,
not PyTorch's (batch, channels, ...). `flatten` and `unflatten` go back to PyTorch's order where it
matters, so that weights of dense layers carry over as they are. Layers are named after the modules
that the report prints (`features_0` is its `features.0`); `tfseq.torch_weights` relies on it.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from tfseq.errors import UserError

ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid", "elu", "gelu", "silu", "linear")
INITIALIZERS = ("torch", "he_normal", "he_uniform", "glorot_normal", "glorot_uniform")
LAYOUTS = ("report", "time")


def dense(x: keras.KerasTensor, units: int, *, name: str, initializer: str) -> keras.KerasTensor:
    """`nn.Linear`."""
    return layers.Dense(units, name=name, **initializers(initializer, x.shape[-1]))(x)


def conv1d(
    x: keras.KerasTensor, filters: int, kernel_size: int, *, name: str, initializer: str, padding=0
) -> keras.KerasTensor:
    """`nn.Conv1d` with stride 1."""
    if padding:
        x = layers.ZeroPadding1D(padding, name=f"{name}_padding")(x)
    starts = initializers(initializer, x.shape[-1] * kernel_size)
    return layers.Conv1D(filters, kernel_size, name=name, **starts)(x)


def conv2d(
    x: keras.KerasTensor, filters: int, *, name: str, initializer: str, strides: int = 1
) -> keras.KerasTensor:
    """`nn.Conv2d` with a 3 x 3 kernel and padding 1."""
    padding = "same"
    if strides > 1:
        # "same" would pad the far sides alone; PyTorch pads both.
        x, padding = layers.ZeroPadding2D(1, name=f"{name}_padding")(x), "valid"
    starts = initializers(initializer, x.shape[-1] * 9)
    return layers.Conv2D(filters, 3, strides=strides, padding=padding, name=name, **starts)(x)


def conv2d_transpose(
    x: keras.KerasTensor,
    filters: int,
    *,
    name: str,
    initializer: str,
    strides: int = 1,
    padding: int = 0,
) -> keras.KerasTensor:
    """`nn.ConvTranspose2d` with a 3 x 3 kernel: its padding crops the output."""
    # PyTorch takes the fan of a transposed kernel from its output channels.
    starts = initializers(initializer, filters * 9)
    x = layers.Conv2DTranspose(filters, 3, strides=strides, name=name, **starts)(x)
    return layers.Cropping2D(padding, name=f"{name}_cropping")(x) if padding else x


def batch_normalization(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """`nn.BatchNorm` over the last axis.

    PyTorch's momentum of 0.1 weighs the new value, Keras's 0.9 the old one. PyTorch keeps the
    unbiased variance: for n values a channel it is n / (n - 1) times the one kept here, 3e-5 more
    at n = 32000.
    """
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def activation(
    x: keras.KerasTensor,
    kind: str,
    *,
    name: str,
    negative_slope: float = 0.01,
    setting: str = "activation",
) -> keras.KerasTensor:
    """An activation by name.

    Args:
        x: Any array.
        kind: One of `ACTIVATIONS`.
        name: Name of the layer.
        negative_slope: Slope of "leaky_relu" below zero.
        setting: The hyperparameter that `kind` is the value of.

    Returns:
        An array of the shape of `x`.

    Raises:
        UserError: If there is no such activation or slope.
    """
    if not negative_slope >= 0:
        raise UserError(f"negative_slope: expected 0 or more, got {negative_slope}")
    if kind == "leaky_relu":
        return layers.LeakyReLU(negative_slope=negative_slope, name=name)(x)
    if kind not in ACTIVATIONS:
        raise UserError(f"{setting}: there is no {kind!r}; there are {', '.join(ACTIVATIONS)}")
    return layers.Activation(kind, name=name)(x)


def flatten(x: keras.KerasTensor, *, name: str, layout: str = "report") -> keras.KerasTensor:
    """Lays the values of an image end to end.

    Args:
        x: (batch, height, width, channels).
        name: Name of the layer.
        layout: "report": channel by channel, row by row, as `nn.Flatten` does. "time": step by
            step, so that what comes from one time stays together.

    Returns:
        (batch, height * width * channels).
    """
    x = layers.Permute((3, 1, 2) if is_report(layout) else (2, 1, 3), name=f"{name}_permute")(x)
    return layers.Flatten(name=name)(x)


def is_report(layout: str) -> bool:
    """Whether a layout is the report's.

    Raises:
        UserError: If there is no such layout.
    """
    if layout not in LAYOUTS:
        raise UserError(f"layout: there is no {layout!r}; there are {', '.join(LAYOUTS)}")
    return layout == "report"


def unflatten(
    x: keras.KerasTensor, height: int, width: int, channels: int, *, name: str
) -> keras.KerasTensor:
    """Makes an image of what `flatten` has flattened."""
    x = layers.Reshape((channels, height, width), name=name)(x)
    return layers.Permute((2, 3, 1), name=f"{name}_permute")(x)


def dropout_rates(rates: float | Sequence[float], count: int) -> tuple[float, ...]:
    """Returns one dropout rate for each of `count` layers; a single number holds for all.

    Raises:
        UserError: If there are more or fewer rates than layers, or one is not in [0, 1).
    """
    each = (rates,) * count if isinstance(rates, int | float) else tuple(rates)
    if len(each) == 1:
        each *= count
    if len(each) != count or not all(0 <= rate < 1 for rate in each):
        raise UserError(f"dropout: expected {count} rates from 0 to below 1, got {rates}")
    return each


def initializers(kind: str, fan_in: int) -> dict[str, Any]:
    """Returns what a layer's kernel and bias start from, as its keyword arguments.

    Args:
        kind: One of `INITIALIZERS`.
        fan_in: Values that each output is a sum of.

    Raises:
        UserError: If there is no such initializer.
    """
    if kind not in INITIALIZERS:
        raise UserError(f"initializer: there is no {kind!r}; there are {', '.join(INITIALIZERS)}")
    # U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for kernels and biases: torch.nn.Linear.reset_parameters.
    bound = 1.0 / math.sqrt(fan_in)
    uniform = keras.initializers.RandomUniform(-bound, bound)
    kernel = keras.initializers.RandomUniform(-bound, bound) if kind == "torch" else kind
    return {"kernel_initializer": kernel, "bias_initializer": uniform}
