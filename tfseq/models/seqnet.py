"""A dense sequence network: every step of the label sees the whole record, at 1/16 of its rate.

What the report's networks lack is a view of the time that they label (docs/why.md). This one cuts
the record into frames, passes them through residual blocks of dilated convolutions (van den Oord et
al., 2016, "WaveNet"; Bai, Kolter and Koltun, 2018, "An empirical evaluation of generic
convolutional and recurrent networks for sequence modeling"), gives every block the average of the
record (after Hu, Shen and Sun, 2018, "Squeeze-and-excitation networks", as a sum), and brings the
frames back to steps with one transposed convolution, whose overlapping kernels interpolate.
"""

from typing import Any

import keras

from tfseq.errors import UserError
from tfseq.models import layers

_DILATIONS = (1, 2, 4, 8, 16)  # of one block after the other, and again from the first


def network(
    waveform: keras.KerasTensor,
    *,
    filters: int = 64,
    blocks: int = 10,
    kernel_size: int = 5,
    frame_steps: int = 16,
    dropout: float = 0.0,
    context: bool = True,
    activation: str = "silu",
    negative_slope: float = 0.01,
    initializer: str = "glorot_uniform",
) -> keras.KerasTensor:
    """Frames of the record through residual blocks of dilated convolutions.

    Args:
        waveform: (batch, channels, steps), of any size.
        filters: Channels of every block.
        blocks: Residual blocks; the reach of the fifth is 16 times that of the first.
        kernel_size: Frames that a convolution sees, odd.
        frame_steps: Time steps of a frame.
        dropout: Rate of the spatial dropout in every block.
        context: Add what the average over the record says to every frame, in every block.
        activation: One of `layers.ACTIVATIONS`.
        negative_slope: Slope of "leaky_relu" below zero.
        initializer: One of `layers.INITIALIZERS`.

    Returns:
        (batch, steps).

    Raises:
        UserError: If a setting is out of range.
    """
    sizes = {"filters": filters, "blocks": blocks, "frame_steps": frame_steps}
    for name, value in sizes.items():
        if value < 1:
            raise UserError(f"{name}: expected 1 or more, got {value}")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise UserError(f"kernel_size: expected an odd number, got {kernel_size}")
    (rate,) = layers.dropout_rates(dropout, 1)
    style = _Style(activation, negative_slope, initializer)
    steps = waveform.shape[2]

    x = keras.layers.Permute((2, 1), name="by_step")(waveform)
    x = style.convolve(x, filters, 2 * frame_steps, "frames", strides=frame_steps)
    for index in range(blocks):
        dilation = _DILATIONS[index % len(_DILATIONS)]
        x = _block(x, f"block_{index}", kernel_size, dilation, rate, context, style)
    x = keras.layers.LayerNormalization(name="norm")(x)

    starts = layers.initializers(initializer, 2 * filters)
    # Twice the frame: each step is a sum of two frames, as in linear interpolation.
    x = keras.layers.Conv1DTranspose(
        1, 2 * frame_steps, strides=frame_steps, padding="same", name="steps", **starts
    )(x)
    x = keras.layers.Cropping1D((0, x.shape[1] - steps), name="crop")(x)
    return keras.layers.Flatten(name="flatten")(x)


class _Style:
    """What all layers of a network have in common."""

    def __init__(self, activation: str, negative_slope: float, initializer: str) -> None:
        self._activation = activation
        self._negative_slope = negative_slope
        self._initializer = initializer

    def activate(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.activation(
            x, self._activation, name=name, negative_slope=self._negative_slope
        )

    def convolve(
        self, x: keras.KerasTensor, filters: int, size: int, name: str, **settings: Any
    ) -> keras.KerasTensor:
        starts = layers.initializers(self._initializer, x.shape[-1] * size)
        return keras.layers.Conv1D(filters, size, padding="same", name=name, **settings, **starts)(
            x
        )

    def dense(self, x: keras.KerasTensor, units: int, name: str) -> keras.KerasTensor:
        return layers.dense(x, units, name=name, initializer=self._initializer)


def _block(
    x: keras.KerasTensor,
    name: str,
    kernel_size: int,
    dilation: int,
    dropout: float,
    context: bool,
    style: _Style,
) -> keras.KerasTensor:
    """Normalization, dilated convolution, activation, context, dropout, mixing; plus its input."""
    filters = x.shape[-1]
    y = keras.layers.LayerNormalization(name=f"{name}_norm")(x)
    y = style.convolve(y, filters, kernel_size, f"{name}_convolution", dilation_rate=dilation)
    y = style.activate(y, f"{name}_activation")
    if context:
        mean = keras.layers.GlobalAveragePooling1D(keepdims=True, name=f"{name}_mean")(y)
        mean = style.dense(mean, max(filters // 4, 1), f"{name}_squeeze")
        mean = style.dense(style.activate(mean, f"{name}_gate"), filters, f"{name}_excite")
        y = keras.layers.Add(name=f"{name}_context")([y, mean])
    y = keras.layers.SpatialDropout1D(dropout, name=f"{name}_dropout")(y)
    y = style.convolve(y, filters, 1, f"{name}_mixing")
    return keras.layers.Add(name=f"{name}_sum")([x, y])
