"""Files that are written whole or not at all, whatever ends the process."""

import os
from pathlib import Path


def write(path: Path, content: str | bytes) -> None:
    """Writes a file; who reads it meanwhile, or after a kill, finds the old content or the new.

    Args:
        path: The file; its folder is made.
        content: What it is to hold, text as UTF-8.

    Raises:
        OSError: If it cannot be written, for want of room, say. What was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):  # that of a write names no file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
