"""The report's model 4: two residual blocks and a convolutional reducer over one long line."""

import keras

from tfseq.errors import UserError
from tfseq.models import layers


def network(
    waveform: keras.KerasTensor,
    *,
    filters: int = 2,
    activation: str = "relu",
    negative_slope: float = 0.01,
    batch_norm: bool = True,
    initializer: str = "he_normal",
    layout: str = "report",
) -> keras.KerasTensor:
    """The records end to end as one sequence, two skip connections, then a quarter of its length.

    The sums have no activation of their own: the report prints none.

    Args:
        waveform: (batch, 4, steps).
        filters: Channels inside each block.
        activation: One of `layers.ACTIVATIONS`.
        negative_slope: Slope of "leaky_relu" below zero.
        batch_norm: Normalize after each convolution.
        initializer: One of `layers.INITIALIZERS`.
        layout: "report" puts the records end to end, so that step t of the label is computed from
            one record near step 4 * (t mod steps / 4). "time" puts them step by step: step t comes
            from all records near step t.

    Returns:
        (batch, steps).

    Raises:
        UserError: If the waveform does not have 4 channels, or there is no filter.
    """
    if filters < 1:
        raise UserError(f"filters: expected 1 or more, got {filters}")
    channels, steps = waveform.shape[1:]
    if (channels * steps // 2 + 1) // 2 != steps:
        raise UserError(
            f"resnet reduces the record to a quarter: it needs 4 channels, got {channels}"
        )

    def convolve(x: keras.KerasTensor, count: int, size: int, name: str, padding: int = 0):
        return layers.conv1d(x, count, size, name=name, initializer=initializer, padding=padding)

    def normalize(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.batch_normalization(x, name=name) if batch_norm else x

    def activate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.activation(x, activation, name=name, negative_slope=negative_slope)

    if not layers.is_report(layout):
        waveform = keras.layers.Permute((2, 1), name="by_step")(waveform)
    x = keras.layers.Reshape((channels * steps, 1), name="line")(waveform)

    branch = normalize(convolve(x, filters, 2, "block_1_0"), "block_1_1")
    branch = convolve(activate(branch, "block_1_2"), 1, 1, "block_1_3", padding=1)
    # One step shorter, then two longer: the last step is cut off.
    branch = keras.layers.Cropping1D((0, 1), name="block_1_4")(branch)
    x = keras.layers.Add(name="sum_1")([x, normalize(branch, "block_1_5")])

    branch = normalize(convolve(x, filters, 2, "block_2_0"), "block_2_1")
    branch = convolve(activate(branch, "block_2_2"), 1, 2, "block_2_3", padding=1)
    x = keras.layers.Add(name="sum_2")([x, normalize(branch, "block_2_4")])

    x = normalize(convolve(x, filters, 1, "block_3_0"), "block_3_1")
    x = keras.layers.MaxPooling1D(2, name="block_3_2")(x)
    x = convolve(activate(x, "block_3_3"), 1, 2, "block_3_4", padding=1)
    x = keras.layers.MaxPooling1D(2, name="block_3_5")(x)
    return keras.layers.Flatten(name="flatten")(normalize(x, "block_3_6"))
