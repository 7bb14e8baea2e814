"""The settings of a training run: a file each, among them one for every model.

Those of the report's four models have the report's values; others were found for a model and a kind
of data. `named(name)` reads one; `--config.<key>=<value>` on the command line changes a setting.
"""

import importlib
import math
from typing import Any

from ml_collections import ConfigDict

from tfseq import models
from tfseq.errors import UserError

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")
SCHEDULES = ("constant", "cosine")
LOSSES = ("mse", "mae", "huber")
CACHES = ("auto", "always", "never")
LOWERINGS = ("auto", "always", "never", "portable")
ON_CORRUPT = ("error", "skip")

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
    for key in ("dropout", "filters", "hidden_units"):
        value = config.model.get(key)
        if isinstance(value, tuple) and any(isinstance(each, str) for each in value):
            raise UserError(f"--config.model.{key}: expected numbers, got {value}")
    choices = {
        "strategy": (config.strategy, STRATEGIES),
        "precision": (config.precision, PRECISIONS),
        "optimizer.name": (config.optimizer.name, OPTIMIZERS),
        "optimizer.schedule": (config.optimizer.schedule, SCHEDULES),
        "loss": (config.loss, LOSSES),
        "data.cache": (config.data.cache, CACHES),
        "data.on_corrupt": (config.data.on_corrupt, ON_CORRUPT),
        "lowering": (config.lowering, LOWERINGS),
    }
    for key, (value, known) in choices.items():
        if value not in known:
            raise UserError(f"--config.{key}: expected one of {', '.join(known)}, got {value!r}")
    least: dict[str, tuple[Any, float]] = {
        "epochs": (config.epochs, 1),
        "batch_size": (config.batch_size, 1),
        "seed": (config.seed, 0),
        "interval.epochs": (config.interval.epochs, 1),
        "multi_worker.wait_seconds": (config.multi_worker.wait_seconds, 0),
        "early_stopping.patience": (config.early_stopping.patience, 0),
        "checkpoint.every_steps": (config.checkpoint.every_steps, 0),
        "optimizer.weight_decay": (config.optimizer.weight_decay, 0),
        "optimizer.clip_norm": (config.optimizer.clip_norm, 0),
    }
    for key, (value, low) in least.items():
        if not low <= value < math.inf:
            raise UserError(f"--config.{key}: expected {low} or more, got {value}")
    if config.seed >= 2**32:
        raise UserError(f"--config.seed: expected less than 2**32, got {config.seed}")
    for key in ("momentum", "warmup"):
        if not 0 <= config.optimizer[key] <= 1:
            raise UserError(
                f"--config.optimizer.{key}: expected a number from 0 to 1, "
                f"got {config.optimizer[key]}"
            )
    for group, key in (("optimizer", "average"), ("interval", "coverage")):
        if not 0 <= config[group][key] < 1:
            raise UserError(
                f"--config.{group}.{key}: expected a number from 0 to below 1, "
                f"got {config[group][key]}"
            )
    if not 0 < config.optimizer.learning_rate < math.inf:
        raise UserError(
            "--config.optimizer.learning_rate: expected a number above 0, "
            f"got {config.optimizer.learning_rate}"
        )
