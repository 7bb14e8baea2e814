"""The settings of a training run: a file each, among them one for every model.

Those of the report's four models have the report's values; others were found for a model and a kind
of data. `named(name)` reads one; `--config.<key>=<value>` on the command line changes a setting.
"""

import importlib
import math
from collections.abc import Callable
from typing import Any

from ml_collections import ConfigDict

from tfseq import models
from tfseq.configs import default
from tfseq.configs.flat import flat
from tfseq.errors import UserError

_Range = tuple[str, Callable[[float], bool]]
"""What a message says of numbers, and whether one is among them."""

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SERVING_PRECISIONS = ("trained", "float32")
OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")
SCHEDULES = ("constant", "cosine")
LOSSES = ("mse", "mae", "huber")
CACHES = ("auto", "always", "never")
LOWERINGS = ("auto", "always", "never", "portable")
ON_CORRUPT = ("error", "skip")

_CHOICES = {
    "strategy": STRATEGIES,
    "precision": PRECISIONS,
    "serving_precision": SERVING_PRECISIONS,
    "optimizer.name": OPTIMIZERS,
    "optimizer.schedule": SCHEDULES,
    "loss": LOSSES,
    "data.cache": CACHES,
    "data.on_corrupt": ON_CORRUPT,
    "lowering": LOWERINGS,
}

_FROM_0: _Range = ("0 or more", lambda value: 0 <= value < math.inf)
_FROM_1: _Range = ("1 or more", lambda value: 1 <= value < math.inf)
_ABOVE_0: _Range = ("a number above 0", lambda value: 0 < value < math.inf)
_0_TO_1: _Range = ("a number from 0 to 1", lambda value: 0 <= value <= 1)
_BELOW_1: _Range = ("a number from 0 to below 1", lambda value: 0 <= value < 1)
_RANGES = (
    ("epochs", _FROM_1),
    ("batch_size", _FROM_1),
    ("seed", _FROM_0),
    ("seed", ("less than 2**32", lambda value: value < 2**32)),
    ("interval.coverage", _BELOW_1),
    ("interval.epochs", _FROM_1),
    ("multi_worker.wait_seconds", _FROM_0),
    ("early_stopping.patience", _FROM_0),
    ("checkpoint.every_steps", _FROM_0),
    ("optimizer.learning_rate", _ABOVE_0),
    ("optimizer.momentum", _0_TO_1),
    ("optimizer.warmup", _0_TO_1),
    ("optimizer.weight_decay", _FROM_0),
    ("optimizer.clip_norm", _FROM_0),
    ("optimizer.average", _BELOW_1),
)

_NUMBERS = {
    "dropout": ("numbers", int | float),
    "filters": ("whole numbers", int),
    "hidden_units": ("whole numbers", int),
}

_FOUND = ("cnn_time", "conv_ae_time", "resnet_time", "seqnet_few_records")


def names() -> tuple[str, ...]:
    """Returns the names of all settings: the models', and those that were found for one."""
    return tuple(sorted((*models.names(), *_FOUND)))


def get(model: str) -> ConfigDict:
    """Returns the settings of a model: those that the report trained it with, if it is there.

    Raises:
        UserError: If there is no such model.
    """
    if model not in models.names():
        raise UserError(
            f"--model: there is no model {model!r}; there are {', '.join(models.names())}"
        )
    return named(model)


def named(name: str) -> ConfigDict:
    """Returns the settings of a name, one of `names()`.

    Raises:
        UserError: If there are none.
    """
    if name not in names():
        raise UserError(
            f"--config_name: there are no settings {name!r}; there are {', '.join(names())}"
        )
    return importlib.import_module(f"tfseq.configs.{name}").get_config()


def check(config: ConfigDict) -> None:
    """Refuses settings that no run can have.

    Raises:
        UserError: If one is out of range; the message names the flag and what was expected.
    """
    for key, (expected, kind) in _NUMBERS.items():
        value = config.model.get(key)
        several = value if isinstance(value, tuple | list) else ()
        if not all(isinstance(each, kind) and not isinstance(each, bool) for each in several):
            raise UserError(f"--config.model.{key}: expected {expected}, got {tuple(several)}")
    settings = flat(config)
    for key, known in _CHOICES.items():
        if settings[key] not in known:
            raise UserError(
                f"--config.{key}: expected one of {', '.join(known)}, got {settings[key]!r}"
            )
    for key, (expected, is_inside) in _RANGES:
        if not is_inside(settings[key]):
            raise UserError(f"--config.{key}: expected {expected}, got {settings[key]}")


def refuse(config: ConfigDict, key: str, why: str, value: Any = None) -> None:
    """Refuses a setting that is not used, unless it is at its default.

    Args:
        config: The settings, or some of them.
        key: Which: a dotted name, or that of a group, each of whose settings is meant.
        why: What is done instead, or where the setting is used.
        value: Only this value is not used; None is any.

    Raises:
        UserError: If the setting is not at its default, or has the value.
    """
    unused = flat(default.get_config())
    for name, given in flat(config).items():
        if not f"{name}.".startswith(f"{key}."):
            continue
        if given == value if value is not None else given != unused[name]:
            raise UserError(f"--config.{name}={given}: {why}")
