"""What the open search varies: a space around the settings of a model."""

from typing import Any

import keras_tuner
from ml_collections import ConfigDict

from tfseq import configs
from tfseq.configs.flat import flat
from tfseq.models import layers

_WIDTHS = (0.5, 1.0, 2.0)
_DROPOUTS = (0.0, 0.5, 1.0, 1.5)
_HIGHEST_DROPOUT = 0.9
_RATES = 30  # how many times lower or higher the learning rate may be
_MOMENTA = (0.0, 0.9)

# What a setting may be, besides what it is.
_CHOICES = {
    "optimizer.schedule": configs.SCHEDULES,
    "transform.standardize": (False, True),
    "transform.standardize_label": (False, True),
    "model.activation": layers.ACTIVATIONS,
    "model.initializer": layers.INITIALIZERS,
    "model.layout": layers.LAYOUTS,
    "model.batch_norm": (False, True),
}


def declare(config: ConfigDict) -> keras_tuner.HyperParameters:
    """Returns the space around a model's settings, which are its defaults.

    - the optimizer, its learning rate (up to 30 times lower or higher), momentum and schedule;
    - standardization, and of the model what it has: activation, initializer, batch normalization,
      layout; dropout none to half as much again, the width of hidden layers half to twice.

    Args:
        config: The model's settings.
    """
    space = keras_tuner.HyperParameters()
    known = flat(config)
    optimizer = config.optimizer
    _choice(space, "optimizer.name", configs.OPTIMIZERS, optimizer.name)
    space.Float(
        "optimizer.learning_rate",
        optimizer.learning_rate / _RATES,
        optimizer.learning_rate * _RATES,
        sampling="log",
        default=optimizer.learning_rate,
    )
    with space.conditional_scope("optimizer.name", ["sgd", "rmsprop"]):
        _choice(space, "optimizer.momentum", _MOMENTA, optimizer.momentum)
    for key, values in _CHOICES.items():
        if key in known:
            _choice(space, key, values, known[key])
    if known.get("model.dropout") is not None and _total(known["model.dropout"]):
        space.Choice("dropout_factor", list(_DROPOUTS), default=1.0)
    if any(f"model.{key}" in known for key in _WIDENED):
        space.Choice("width_factor", list(_WIDTHS), default=1.0)
    return space


def apply(values: dict[str, Any], config: ConfigDict) -> ConfigDict:
    """Returns the settings that a trial's values stand for.

    Args:
        values: By name, as a trial has them.
        config: The settings that the space was declared around.
    """
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict({key: each for key, each in values.items() if "." in key})
    if factor := values.get("width_factor"):
        for key, widen in _WIDENED.items():
            if key in changed.model:
                changed.model[key] = widen(changed.model[key], factor)
    if "dropout_factor" in values and "dropout" in changed.model:
        changed.model.dropout = _scaled_dropout(changed.model.dropout, values["dropout_factor"])
    return changed


def _scale(width: int, factor: float) -> int:
    return max(1, round(width * factor))


def _scale_all(widths: Any, factor: float) -> Any:
    if isinstance(widths, int):
        return _scale(widths, factor)
    return tuple(_scale(width, factor) for width in widths)


def _scale_hidden(filters: Any, factor: float) -> Any:
    """Returns filters, the last of which make the label's steps and stay as they are."""
    if isinstance(filters, int):
        return _scale(filters, factor)
    return (*_scale_all(filters[:-1], factor), filters[-1])


_WIDENED = {"hidden_units": _scale_all, "latent_units": _scale_all, "filters": _scale_hidden}


def _scaled_dropout(rates: Any, factor: float) -> Any:
    if isinstance(rates, int | float):
        return min(rates * factor, _HIGHEST_DROPOUT)
    return tuple(min(rate * factor, _HIGHEST_DROPOUT) for rate in rates)


def _total(rates: Any) -> float:
    return rates if isinstance(rates, int | float) else sum(rates)


def _choice(space: keras_tuner.HyperParameters, name: str, values: Any, default: Any) -> None:
    if isinstance(default, bool):
        space.Boolean(name, default=default)  # a Choice would make numbers of them
        return
    among = list(values) if default in values else [default, *values]
    space.Choice(name, among, default=default)
