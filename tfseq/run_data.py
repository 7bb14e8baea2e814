"""data.json in the folder of a run: the records that it was started with."""

import json
from pathlib import Path
from typing import Any

from tfseq import atomic_file, checkpoint_files, fingerprint
from tfseq.errors import UserError
from tfseq.example_gen import Split

_NAME = "data.json"


def describe(training: Split, validation: Split) -> dict[str, Any]:
    """Returns what data.json holds: by use, the data set, its records and their fingerprint."""
    return {
        use: {
            "data set": split.builder.info.full_name,
            "records": split.num_records,
            "fingerprint": fingerprint.of(split),
        }
        for use, split in (("training", training), ("validation", validation))
    }


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
    path = workdir / _NAME
    if not (checkpoint_files.exist(workdir / "checkpoints") and path.is_file()):
        return
    started = json.loads(path.read_text(encoding="utf-8"))
    for use, before in started.items():
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


def _was(old: Any, new: Any) -> str:
    return f"were {old} and are {new}" if isinstance(old, int) else f"was {old} and is {new}"
