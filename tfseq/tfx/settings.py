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


def to_json(config: ConfigDict) -> dict[str, Any]:
    """Returns what `custom_config` holds of some settings."""
    return {_KEY: file.to_json(config)}


def of(custom_config: Mapping[str, Any] | None) -> ConfigDict:
    """Returns the settings of a component: those of its model, but for what `custom_config` says.

    Args:
        custom_config: Such as {"config": {"model": {"name": "cnn"}, "epochs": 5}}.

    Raises:
        UserError: If it names no model, or a setting that is not one or is out of range.
    """
    try:
        config = file.from_json((custom_config or {}).get(_KEY))
    except UserError as error:
        raise UserError(f"custom_config, {_KEY}: {error}") from error
    configs.check(config)
    return config


def source() -> str:
    """Returns a digest of tfseq's code: with other code, a component is not answered from cache."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
