"""Settings in a JSON file, as `config.json` of a run or of an exported version holds them."""

import json
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from tfseq import configs, json_file
from tfseq.configs.flat import nearest
from tfseq.errors import UserError

_MOST_CHARACTERS = 100


def read(path: Path) -> ConfigDict:
    """Returns the settings of a file; those that it does not name are the model's own.

    Args:
        path: A JSON object with at least `{"model": {"name": ...}}`.

    Raises:
        UserError: If there is no such file, or it is not as expected.
    """
    try:
        found = json_file.read(path)
    except UserError as error:
        raise UserError(f"--config_file: {error}") from error
    try:
        return from_json(found)
    except UserError as error:
        raise UserError(f"--config_file: {path}: {error}") from error


def to_json(config: ConfigDict) -> dict[str, Any]:
    """Returns settings as a JSON object that `from_json` takes: a tuple is a list."""
    return json.loads(config.to_json_best_effort())


def from_json(found: Any) -> ConfigDict:
    """Returns the settings that a JSON object holds; those that it does not name are the model's.

    Raises:
        UserError: If it names no model, or a setting that is not one.
    """
    model = found.get("model") if isinstance(found, dict) else None
    name = model.get("name") if isinstance(model, dict) else None
    if not isinstance(name, str):
        raise UserError('it names no model; expected settings such as {"model": {"name": "cnn"}}')
    config = configs.get(name)
    try:
        _update(config, found, "")
    except RecursionError as error:
        raise UserError("a setting is a list in a list, and so on; expected values") from error
    return config


def _update(config: ConfigDict, found: dict[str, Any], prefix: str) -> None:
    for key, given in found.items():
        name = f"{prefix}{key}"
        if key not in config:
            hint = nearest(name, [f"{prefix}{each}" for each in config])
            raise UserError(f"there is no setting {_told(name)[1:-1]}{hint}")
        before = config[key]
        if isinstance(before, ConfigDict):
            if not isinstance(given, dict):
                raise UserError(f"{name}: expected a group of settings, got {_told(given)}")
            _update(before, given, f"{name}.")
            continue
        try:
            value = _as_tuple(given)
            # Python takes True for 1, and a setting that is None for unset.
            fits = isinstance(value, bool) == isinstance(before, bool) and value is not None
            if before is not None and not fits:
                raise TypeError
            config[key] = value
        except (TypeError, OverflowError):
            kind = (
                f"{type(before).__name__}, such as {before!r}" if before is not None else "values"
            )
            raise UserError(f"{name}: expected {kind}; got {_told(given)}") from None


def _as_tuple(value: Any) -> Any:
    if isinstance(value, dict):
        raise TypeError
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def _told(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
