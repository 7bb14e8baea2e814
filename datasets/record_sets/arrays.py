"""The arrays x and y of a set: reads and checks what their headers say. Nothing is unpickled."""

import contextlib
import dataclasses
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tfseq import npy_format
from tfseq.errors import UserError, reason

AXES = {"x": ("records", "channels", "steps"), "y": ("records", "steps")}
FORM = " and ".join(f"{key} ({', '.join(axes)})" for key, axes in AXES.items())

_NAMES_TOLD = 8
_CHARACTERS_TOLD = 40
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# UnicodeDecodeError: a name in an archive that is no text. ValueError: a place before the file.
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError)


@dataclasses.dataclass(frozen=True)
class Array(npy_format.Header):
    """What the header of an array says, and where the array lies."""

    path: Path
    key: str


def npy_header(path: Path, key: str) -> Array:
    """Returns what the header of an .npy file says.

    Args:
        path: The file.
        key: "x" or "y", which says how many axes there must be.

    Raises:
        UserError: If the file is damaged or its array is not of the form.
    """
    with damage_told(path), path.open("rb") as stream:
        return _header(stream, path.stat().st_size, path, key)


def npz_headers(path: Path) -> tuple[Array, Array]:
    """Returns what the headers of x and y in an .npz file say.

    Args:
        path: The file.

    Raises:
        UserError: If the file is damaged, lacks an array or has one that is not of the form.
    """
    arrays = []
    with damage_told(path), zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        keys = [name.removesuffix(".npy") for name in members if name.endswith(".npy")]
        for key in AXES:
            if keys.count(key) != 1:
                has = ", ".join(map(_told, keys[:_NAMES_TOLD])) or "no arrays"
                there = "are several arrays" if key in keys else "is no array"
                raise UserError(f"{path}: there {there} {key}; it has {has}; expected {FORM}")
            entry = archive.getinfo(f"{key}.npy")
            if entry.compress_type not in _COMPRESSIONS:
                raise UserError(
                    f"{path}: {key} is compressed as numpy does not; expected a file as "
                    "numpy.savez or numpy.savez_compressed writes it"
                )
            with archive.open(entry) as stream:
                arrays.append(_header(stream, entry.file_size, path, key))
            if arrays[-1].fortran_order:
                raise UserError(
                    f"{path}: {key} is in Fortran order, in which an .npz cannot be streamed; "
                    f"expected C order: save numpy.ascontiguousarray({key})"
                )
    return arrays[0], arrays[1]


def _header(stream: BinaryIO, available: int, path: Path, key: str) -> Array:
    try:
        array = Array(**vars(npy_format.read_header(stream)), path=path, key=key)
    except ValueError as error:
        raise UserError(
            f"{path}: {key} is not an array that numpy.save writes; expected {FORM}"
        ) from error
    axes = AXES[key]
    if array.dtype.kind not in "fiu":
        raise UserError(
            f"{path}: {key} is of type {array.dtype}; expected floating-point numbers or integers"
        )
    if len(array.shape) != len(axes) or min(array.shape) < 1:
        raise UserError(
            f"{path}: {key} has the shape {array.shape}; "
            f"expected ({', '.join(axes)}), at least one of each"
        )
    if array.record_bytes > npy_format.LARGEST_RECORD:
        raise UserError(
            f"{path}: a record of {key} has {array.record_bytes} bytes; expected at most "
            f"{npy_format.LARGEST_RECORD}: cut records into shorter ones"
        )
    if available < array.offset + array.data_bytes:
        kept = max(0, available - array.offset) // array.record_bytes
        raise UserError(
            f"{path}: {key} is cut short in record {kept}; "
            f"expected {array.shape[0]} records of {array.record_bytes} bytes"
        )
    return array


@contextlib.contextmanager
def damage_told(path: Path, place: str = "") -> Iterator[None]:
    """Has damage to a file that comes to light in the block told as the user's.

    Args:
        path: The file.
        place: Where in it, for the message.

    Raises:
        UserError: If the file cannot be read or is damaged.
    """
    try:
        yield
    except UserError:
        raise
    except _DAMAGE as error:
        kind = "numpy.savez" if path.suffix == ".npz" else "numpy.save"
        why = reason(error) or "it ends too soon"
        raise UserError(
            f"{path}: cannot be read{place} ({why}); expected a whole file as {kind} writes it"
        ) from error


def _told(name: str) -> str:
    return repr(name[:_CHARACTERS_TOLD])[1:-1]
