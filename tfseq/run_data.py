"""data.json in the folder of a run: the records that it was started with."""

import json
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from tfseq import atomic_file, checkpoint_files, fingerprint, json_file
from tfseq.errors import UserError
from tfseq.example_gen import Split, is_cached

_NAME = "data.json"
_HELD = "held in memory"


def settle_cache(config: ConfigDict, training: Split, workdir: Path) -> ConfigDict:
    """Returns the settings with "always" or "never" as `data.cache`.

    The order of the batches depends on it: a run that has begun keeps to it, however much memory
    is free today.

    Args:
        config: The settings.
        training: The records that may be held in memory.
        workdir: The folder of the run.
    """
    held = _started(workdir).get("training", {}).get(_HELD)
    if held is None:
        held = is_cached(training, config.data.cache)
    settled = config.copy_and_resolve_references()
    settled.data.cache = "always" if held else "never"
    return settled


def describe(training: Split, validation: Split, *, held: bool) -> dict[str, Any]:
    """Returns what data.json holds: by use, the data set, its records and their fingerprint.

    Args:
        training: The records to learn from.
        validation: The records that choose the best epoch.
        held: Whether the former are held in memory.
    """
    described = {
        use: {
            "data set": split.builder.info.full_name,
            "records": split.num_records,
            "fingerprint": fingerprint.of(split),
        }
        for use, split in (("training", training), ("validation", validation))
    }
    described["training"][_HELD] = held
    return described


def write(described: dict[str, Any], workdir: Path) -> None:
    """Writes what `describe` returned."""
    atomic_file.write(workdir / _NAME, json.dumps(described, indent=2) + "\n")


def refuse_other(described: dict[str, Any], workdir: Path) -> None:
    """Refuses to continue a run with other records than it was started with.

    Args:
        described: What `describe` returned of those of today.
        workdir: The folder of the run.

    Raises:
        UserError: If they differ; the message says in what.
    """
    for use, before in _started(workdir).items():
        for what, old in before.items():
            new = described[use][what]
            if new != old:
                name = described[use]["data set"]
                change = f"has other {use} records" if what == "fingerprint" else ""
                raise UserError(
                    f"{workdir} holds a run that was started with other data: "
                    + (f"{name} {change}" if change else f"the {use} {what} {_was(old, new)}")
                    + "; bring the former data back, name another --workdir, or remove this one"
                )


def _started(workdir: Path) -> dict[str, Any]:
    """Returns what was written when the run was started; nothing if it was not."""
    path = workdir / _NAME
    if not (checkpoint_files.exist(workdir / "checkpoints") and path.is_file()):
        return {}
    return json_file.read(path)


def _was(old: Any, new: Any) -> str:
    return f"were {old} and are {new}" if isinstance(old, int) else f"was {old} and is {new}"
