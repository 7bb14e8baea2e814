"""Files that are written whole or not at all, whatever ends the process."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Yields another path in the same folder; the file that is written there then gets its name.

    Who reads meanwhile, or after a kill, finds the old file or the new one. What a kill leaves of
    the new one is written over by the next.

    Args:
        path: The file, in a folder that is there.
        shared: Whether several processes may write it at the same time: the last one's stays.

    Raises:
        OSError: If it cannot be written, for want of room, say. What was there stays.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex if shared else ''}{path.name}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, content: str | bytes, *, shared: bool = False) -> None:
    """Writes a file, see `replacing`.

    Args:
        path: The file; its folder is made.
        content: What it is to hold, text as UTF-8.
        shared: Whether several processes may write it at the same time.

    Raises:
        OSError: If it cannot be written, for want of room, say. What was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(path, shared=shared) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:  # that of a write names no file
        raise OSError(error.errno, error.strerror, str(path)) from error


def link(source: Path, target: Path) -> None:
    """Gives a file another name too, which may be another file's until then.

    Args:
        source: The file.
        target: The name, in the same file system.

    Raises:
        OSError: If that cannot be done. What was there stays.
    """
    temporary = target.with_name(f".{os.getpid()}.{target.name}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, temporary)
    temporary.replace(target)
