"""The report's model 1: a multilayer perceptron over the whole flattened record."""

from collections.abc import Sequence

import keras

from tfseq.errors import UserError
from tfseq.models import layers


def network(
    waveform: keras.KerasTensor,
    *,
    hidden_units: Sequence[int] = (8000, 6000, 4000),
    dropout: float | Sequence[float] = (0.3, 0.4, 0.6),
    activation: str = "relu",
    negative_slope: float = 0.01,
    batch_norm: bool = False,
    initializer: str = "torch",
) -> keras.KerasTensor:
    """Flatten, then linear, dropout and activation for each hidden layer, then linear.

    Args:
        waveform: (batch, channels, steps), of any size.
        hidden_units: Width of each hidden layer.
        dropout: Dropout rate of each hidden layer, or one for all.
        activation: One of `layers.ACTIVATIONS`.
        negative_slope: Slope of "leaky_relu" below zero.
        batch_norm: Normalize what each hidden linear layer puts out.
        initializer: One of `layers.INITIALIZERS`.

    Returns:
        (batch, steps).

    Raises:
        UserError: If the network cannot have a hyperparameter.
    """
    if not hidden_units or min(hidden_units) < 1:
        raise UserError(f"hidden_units: expected one width or more, got {tuple(hidden_units)}")
    rates = layers.dropout_rates(dropout, len(hidden_units))
    x = keras.layers.Flatten(name="my_network_0")(waveform)
    index = 1
    for units, rate in zip(hidden_units, rates, strict=True):
        x = layers.dense(x, units, name=f"my_network_{index}", initializer=initializer)
        if batch_norm:
            x = layers.batch_normalization(x, name=f"norm_{index}")
        x = keras.layers.Dropout(rate, name=f"my_network_{index + 1}")(x)
        x = layers.activation(
            x, activation, name=f"my_network_{index + 2}", negative_slope=negative_slope
        )
        index += 3
    steps = waveform.shape[2]
    return layers.dense(x, steps, name=f"my_network_{index}", initializer=initializer)
