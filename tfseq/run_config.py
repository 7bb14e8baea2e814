"""config.json in the folder of a run: the settings that it was started with."""

import json
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from tfseq import atomic_file, checkpoint_files, json_file
from tfseq.configs import file
from tfseq.configs.flat import flat
from tfseq.errors import UserError

# What may differ between a run and its continuation.
_CHANGEABLE = {"epochs", "early_stopping", "checkpoint", "strategy", "multi_worker", "lowering"}
_CHANGEABLE |= {"interval", "serving_precision", "data.on_corrupt"}
_NAME = "config.json"


def write(config: ConfigDict, workdir: Path) -> None:
    """Writes the settings."""
    atomic_file.write(workdir / _NAME, json.dumps(file.to_json(config), indent=2) + "\n")


def refuse_other(config: ConfigDict, workdir: Path) -> None:
    """Refuses to continue a run with other settings than it was started with.

    Raises:
        UserError: If a setting differs that shapes what is learned; the message names it.
    """
    path = workdir / _NAME
    if checkpoint_files.exist(workdir / "checkpoints") and path.is_file():
        before, now = json_file.read(path), file.to_json(config)
        # A schedule was laid over the epochs that the run began with.
        scheduled = config.optimizer.schedule != "constant"
        changeable = _CHANGEABLE - ({"epochs"} if scheduled else set())
        for key, (old, new) in _differences(before, now, changeable).items():
            raise UserError(
                f"{workdir} holds a run with --config.{key}={old}, not {new}; "
                "name another --workdir, or remove this one"
            )


def flags(config: ConfigDict) -> dict[str, Any]:
    """Returns the settings by the names of their flags."""
    return flat(file.to_json(config), "--config.")


def _differences(
    before: Any, now: Any, changeable: set[str], key: str = ""
) -> dict[str, tuple[Any, Any]]:
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return {} if before == now else {key: (before, now)}
    found = {}
    # What only one of them has, a former version did not have.
    for name in before.keys() & now.keys():
        path = f"{key}.{name}".lstrip(".")
        if path not in changeable:
            found.update(_differences(before[name], now[name], changeable, path))
    return found
