"""The results of a study: a line of JSON for each finished trial, which no kill can tear.

The file says what is done. A trial that has no line is run, from its beginning; one that has a line
never is again.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfseq import atomic_file
from tfseq.errors import UserError

_RESULTS = "results.jsonl"
_SETTINGS = "study.json"


def read(folder: Path) -> list[dict[str, Any]]:
    """Returns the rows of the finished trials, in the order in which they ended."""
    path = folder / _RESULTS
    if not path.is_file():
        return []
    # What stands behind the last line feed is what a kill left of a line.
    *lines, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines]


def find(folder: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the row whose values are those of a key, or None."""
    return next((row for row in read(folder) if key.items() <= row.items()), None)


def append(folder: Path, row: Mapping[str, Any]) -> None:
    """Adds a row; several processes may do so at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps(row, allow_nan=False).encode() + b"\n"
    with (folder / _RESULTS).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def claim(folder: Path, settings: Mapping[str, Any]) -> None:
    """Keeps a folder for trials with the same settings.

    Args:
        folder: Of a study.
        settings: What all trials in it share, by flag.

    Raises:
        UserError: If it holds results with other settings; the message names the flag.
    """
    path = folder / _SETTINGS
    # A tuple is a list once it has been written.
    now = json.loads(json.dumps(settings))
    if path.is_file() and read(folder):
        before = settings_of(folder)
        for flag in before | now:
            if before.get(flag) != now.get(flag):
                raise UserError(
                    f"{folder} holds results {_said(flag, before)}, not {_said(flag, now)}; name "
                    "another --workdir, or remove this one"
                )
        return
    # Several workers may begin at the same time.
    atomic_file.write(path, json.dumps(now, indent=2) + "\n", shared=True)


def _said(flag: str, settings: Mapping[str, Any]) -> str:
    value = settings.get(flag)
    return f"without {flag}" if value is None else f"with {flag}={value}"


def settings_of(folder: Path) -> dict[str, Any]:
    """Returns what `claim` wrote."""
    return json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
