"""The report's model 3: a convolutional autoencoder with the CNN of model 2 behind it."""

import functools
import math
from collections.abc import Callable, Sequence

import keras

from tfseq.errors import UserError
from tfseq.models import cnn, layers


def network(
    waveform: keras.KerasTensor,
    *,
    latent_units: int = 64,
    autoencoder_activation: str = "leaky_relu",
    filters: Sequence[int] = (2, 3, 4),
    dropout: float | Sequence[float] = (0.3, 0.3),
    activation: str = "relu",
    negative_slope: float = 0.01,
    batch_norm: bool = True,
    classifier: bool = False,
    initializer: str = "torch",
    layout: str = "report",
) -> keras.KerasTensor:
    """Squeezes a record through a latent vector, restores it and labels what was restored.

    Args:
        waveform: (batch, channels, steps); the sizes of `cnn.network`.
        latent_units: Size of the latent vector.
        autoencoder_activation: Activation in encoder and decoder, one of `layers.ACTIVATIONS`.
        filters: Filters of the convolutional tail, see `cnn.network`.
        dropout: Dropout of the tail.
        activation: Activation of the tail.
        negative_slope: Slope of "leaky_relu" below zero, wherever it is used.
        batch_norm: Normalize in the tail.
        classifier: End in a linear layer.
        initializer: One of `layers.INITIALIZERS`.
        layout: How the tail's last feature maps become the label, see `cnn.network`.

    Returns:
        (batch, steps).

    Raises:
        UserError: If the network cannot have this input.
    """
    if latent_units < 1:
        raise UserError(f"latent_units: expected 1 or more, got {latent_units}")
    channels, steps = waveform.shape[1:]
    activate = functools.partial(
        layers.activation,
        kind=autoencoder_activation,
        negative_slope=negative_slope,
        setting="autoencoder_activation",
    )
    x = keras.layers.Reshape((channels, steps, 1), name="image")(waveform)
    x, shape = _encode(x, latent_units, activate, initializer)
    x = _decode(x, shape, activate, initializer)
    trim = ((0, x.shape[1] - channels), (0, x.shape[2] - steps))
    x = keras.layers.Cropping2D(trim, name="decoder_9")(x)
    return cnn.feature_maps(
        x,
        steps=steps,
        name="decoder",
        first_index=10,
        filters=filters,
        dropout=dropout,
        activation=activation,
        negative_slope=negative_slope,
        batch_norm=batch_norm,
        classifier=classifier,
        initializer=initializer,
        layout=layout,
    )


def _encode(
    image: keras.KerasTensor,
    latent_units: int,
    activate: Callable[..., keras.KerasTensor],
    initializer: str,
) -> tuple[keras.KerasTensor, tuple[int, int, int]]:
    """Returns the latent vector, and (height, width, channels) of the maps that it is made of."""
    x = image
    for index, (count, strides) in enumerate(((4, 1), (6, 2), (6, 2))):
        name = f"encoder_{2 * index}"
        x = layers.conv2d(x, count, name=name, initializer=initializer, strides=strides)
        x = activate(x, name=f"encoder_{2 * index + 1}")
    x = layers.conv2d(x, 8, name="encoder_6", initializer=initializer)
    shape = x.shape[1:]
    x = layers.flatten(x, name="encoder_7")
    return layers.dense(x, latent_units, name="encoder_8", initializer=initializer), shape


def _decode(
    latent: keras.KerasTensor,
    shape: tuple[int, int, int],
    activate: Callable[..., keras.KerasTensor],
    initializer: str,
) -> keras.KerasTensor:
    """Returns the image, which may have a few rows and steps too many; see `_encode`."""
    x = layers.dense(latent, math.prod(shape), name="decoder_0", initializer=initializer)
    x = layers.unflatten(x, *shape, name="decoder_1")
    for index, (count, strides, padding) in enumerate(((6, 1, 1), (6, 2, 1), (4, 2, 0))):
        name = f"decoder_{2 * index + 2}"
        x = layers.conv2d_transpose(
            x, count, name=name, initializer=initializer, strides=strides, padding=padding
        )
        x = activate(x, name=f"decoder_{2 * index + 3}")
    return layers.conv2d_transpose(x, 1, name="decoder_8", initializer=initializer)
