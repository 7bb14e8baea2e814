"""The networks, by name: `build("cnn")` returns a Keras functional model.

Every model maps `waveform` (batch, channels, steps) float32 to `label` (batch, steps) float32. Only
`keras` is used here, so that the models also run on Keras's JAX backend.
"""

import importlib
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfseq import schema
from tfseq.errors import UserError

if TYPE_CHECKING:
    import keras

    from tfseq.transform import LabelScaling, Scaling

_NAMES = ("cnn", "conv_ae", "mlp", "resnet", "seqnet")


def names() -> tuple[str, ...]:
    """Returns the names of the models, in alphabetical order."""
    return _NAMES


def build(
    name: str,
    *,
    waveform_shape: tuple[int, int] | None = None,
    scaling: "Scaling | None" = None,
    label_scaling: "LabelScaling | None" = None,
    views: Sequence[str] = ("waveform",),
    **hyperparameters: Any,
) -> "keras.Model":
    """Builds a model with freshly initialized weights.

    Args:
        name: One of `names()`.
        waveform_shape: (channels, steps) of the input; the schema's if None.
        scaling: Mean and variance of every channel, to standardize the input; None leaves it.
        label_scaling: Mean and variance of the labels, which the network's output is brought to;
            None leaves it.
        views: What the network sees of each channel, see `tfseq.transform`.
        **hyperparameters: Keyword arguments of the model's `network`.

    Returns:
        A functional model with the input `waveform` and the output layer `label`.

    Raises:
        UserError: If there is no such model or hyperparameter, or it does not fit the shape.

    Example:
        >>> build("mlp", hidden_units=(16, 12, 8), dropout=(0, 0, 0)).count_params()
        292324
    """
    if name not in _NAMES:
        raise UserError(f"--model: there is no model {name!r}; there are {', '.join(_NAMES)}")
    import keras

    from tfseq import transform

    network = importlib.import_module(f"tfseq.models.{name}").network
    known = list(inspect.signature(network).parameters)[1:]
    for key in set(hyperparameters) - set(known):
        raise UserError(f"--config.model.{key}: {name} has no such setting; it has {known}")
    waveform = keras.Input(waveform_shape or schema.waveform_shape(), name="waveform")
    features = transform.features(waveform, scaling, views)
    try:
        computed = network(features, **hyperparameters)
    except UserError as error:
        if str(error).partition(":")[0] in known:
            raise UserError(f"--config.model.{error}") from error
        raise
    return keras.Model(waveform, transform.in_unit(computed, label_scaling), name=name)
