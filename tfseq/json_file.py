"""Reads a JSON file that anyone may have written."""

import json
from pathlib import Path
from typing import Any

from tfseq.errors import UserError

_LARGEST = 2**24


def read(path: Path) -> Any:
    """Returns what a JSON file holds.

    Args:
        path: A regular file of at most 16 MiB.

    Raises:
        UserError: If it is none, is larger, or is not JSON.
    """
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"cannot read {path}: it is not a regular file")
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise UserError(f"{path} is larger than {_LARGEST >> 20} MiB")
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}") from error
