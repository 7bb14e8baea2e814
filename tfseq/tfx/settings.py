"""The settings that a pipeline gives its components, as JSON in their `custom_config`."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from tfseq import configs
from tfseq.configs import file
from tfseq.errors import UserError

_KEY = "config"

_ALONE = "a pipeline has no use for it; it is for tfseq.train alone"
_UNUSED = {
    "data.train_split": "a pipeline reads whole splits",
    "data.validation_split": "a pipeline reads whole splits",
    "data.service": _ALONE,
    "data.on_corrupt": "a pipeline leaves no record out",
    "multi_worker": _ALONE,
}


def to_json(config: ConfigDict) -> dict[str, Any]:
    """Returns what `custom_config` holds of some settings."""
    return {_KEY: file.to_json(config)}


def of(custom_config: Mapping[str, Any] | None) -> ConfigDict:
    """Returns the settings of a component: those of its model, but for what `custom_config` says.

    Args:
        custom_config: Such as {"config": {"model": {"name": "cnn"}, "epochs": 5}}.

    Raises:
        UserError: If it names no model, or a setting that is not one, is out of range, or is not
            used.
    """
    try:
        config = file.from_json((custom_config or {}).get(_KEY))
    except UserError as error:
        raise UserError(f"custom_config, {_KEY}: {error}") from error
    configs.check(config)
    refuse_unused(config)
    return config


def refuse_unused(config: ConfigDict) -> None:
    """Refuses settings that no component would use.

    Raises:
        UserError: If there is one.
    """
    configs.refuse(config, "strategy", _ALONE, value="multi_worker")
    for key, why in _UNUSED.items():
        configs.refuse(config, key, why)


def source() -> str:
    """Returns a digest of tfseq's code: with other code, a component is not answered from cache."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
