"""The report's model 2: a CNN whose last feature maps, laid end to end, are the label."""

from collections.abc import Sequence

import keras

from tfseq.errors import UserError
from tfseq.models import layers


def network(
    waveform: keras.KerasTensor,
    *,
    filters: Sequence[int] = (2, 3, 4),
    dropout: float | Sequence[float] = (0.3, 0.3),
    activation: str = "relu",
    negative_slope: float = 0.01,
    batch_norm: bool = True,
    classifier: bool = False,
    initializer: str = "torch",
    layout: str = "report",
) -> keras.KerasTensor:
    """A record as an image of channels x steps through convolutions and poolings.

    Args:
        waveform: (batch, channels, steps). Without a classifier the values of the last feature maps
            must be as many as the steps: 4 channels and a multiple of 4 steps with the default
            filters.
        filters: Filters of each 3 x 3 convolution; a 2 x 2 max pooling follows each but the last.
        dropout: Rate of the spatial dropout of each convolution but the last, or one for all.
        activation: One of `layers.ACTIVATIONS`.
        negative_slope: Slope of "leaky_relu" below zero.
        batch_norm: Normalize before each pooling.
        classifier: Add a linear layer from the feature maps to the label, for any size.
        initializer: One of `layers.INITIALIZERS`.
        layout: "report" lays the last feature maps end to end, so that step t of the label is
            computed from the waveform near step filters[-1] * (t mod steps / filters[-1]). "time"
            lays them step by step: step t comes from the waveform near step t.

    Returns:
        (batch, steps).

    Raises:
        UserError: If the network cannot have this input.
    """
    image = keras.layers.Reshape((*waveform.shape[1:], 1), name="image")(waveform)
    return feature_maps(
        image,
        steps=waveform.shape[2],
        name="features",
        first_index=0,
        filters=filters,
        dropout=dropout,
        activation=activation,
        negative_slope=negative_slope,
        batch_norm=batch_norm,
        classifier=classifier,
        initializer=initializer,
        layout=layout,
    )


def feature_maps(
    image: keras.KerasTensor,
    *,
    steps: int,
    name: str,
    first_index: int,
    filters: Sequence[int],
    dropout: float | Sequence[float],
    activation: str,
    negative_slope: float,
    batch_norm: bool,
    classifier: bool,
    initializer: str,
    layout: str,
) -> keras.KerasTensor:
    """The network on an image; `conv_ae` ends in it too.

    Args:
        image: (batch, channels, steps, 1).
        steps: Time steps of the label.
        name: What the layers' names begin with.
        first_index: Number of the first layer, as the report prints it.
        filters: See `network`, as for the arguments that follow.
        dropout: As above.
        activation: As above.
        negative_slope: As above.
        batch_norm: As above.
        classifier: As above.
        initializer: As above.
        layout: As above.

    Returns:
        (batch, steps).

    Raises:
        UserError: If the network cannot have this image.
    """
    _check_size(image.shape, steps, filters, classifier)
    rates = layers.dropout_rates(dropout, len(filters) - 1)
    x, index = image, first_index
    for count, rate in zip(filters[:-1], rates, strict=True):
        x = layers.conv2d(x, count, name=f"{name}_{index}", initializer=initializer)
        x = keras.layers.SpatialDropout2D(rate, name=f"{name}_{index + 1}")(x)
        x = layers.activation(
            x, activation, name=f"{name}_{index + 2}", negative_slope=negative_slope
        )
        if batch_norm:
            x = layers.batch_normalization(x, name=f"{name}_{index + 3}")
        x = keras.layers.MaxPooling2D(2, name=f"{name}_{index + 4}")(x)
        index += 5
    x = layers.conv2d(x, filters[-1], name=f"{name}_{index}", initializer=initializer)
    x = layers.activation(x, activation, name=f"{name}_{index + 1}", negative_slope=negative_slope)
    x = layers.flatten(x, name=f"{name}_{index + 2}", layout=layout)
    if classifier:
        x = layers.dense(x, steps, name="classifier_0", initializer=initializer)
    return x


def _check_size(
    image_shape: tuple[int, ...], steps: int, filters: Sequence[int], classifier: bool
) -> None:
    if not filters or min(filters) < 1:
        raise UserError(f"filters: expected one number or more, all positive, got {tuple(filters)}")
    shrink = 2 ** (len(filters) - 1)
    height, width = image_shape[1] // shrink, image_shape[2] // shrink
    values = filters[-1] * height * width
    if not values or (values != steps and not classifier):
        raise UserError(
            f"waveforms of {image_shape[1]} channels x {image_shape[2]} steps give {values} values "
            f"for {steps} steps: this network needs filters[-1] * (channels // {shrink}) * "
            f"(steps // {shrink}) == steps (by default 4 channels and a multiple of 4 steps), "
            f"or {'' if values else 'fewer filters and '}--config.model.classifier=true"
        )
