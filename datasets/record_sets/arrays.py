"""The arrays x and y of a set: reads and checks their headers, then their records one by one.

No file is ever wholly in memory: an .npy is mapped, an .npz streamed, and nothing is unpickled.
"""

import contextlib
import dataclasses
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tfseq.errors import UserError

AXES = {"x": ("records", "channels", "steps"), "y": ("records", "steps")}
FORM = " and ".join(f"{key} ({', '.join(axes)})" for key, axes in AXES.items())

_MAPPED_BYTES = 64 * 2**20
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError)


@dataclasses.dataclass(frozen=True)
class Array:
    """What the header of an array says, and where the array lies."""

    path: Path
    key: str
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    offset: int

    @property
    def record_bytes(self) -> int:
        """Bytes of one record."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def data_bytes(self) -> int:
        """Bytes of all records."""
        return self.shape[0] * self.record_bytes


def npy_header(path: Path, key: str) -> Array:
    """Returns what the header of an .npy file says.

    Args:
        path: The file.
        key: "x" or "y", which says how many axes there must be.

    Raises:
        UserError: If the file is damaged or its array is not of the form.
    """
    with _damage_told(path), path.open("rb") as stream:
        return _header(stream, path.stat().st_size, path, key)


def npz_headers(path: Path) -> tuple[Array, Array]:
    """Returns what the headers of x and y in an .npz file say.

    Args:
        path: The file.

    Raises:
        UserError: If the file is damaged, lacks an array or has one that is not of the form.
    """
    arrays = []
    with _damage_told(path), zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        keys = [name.removesuffix(".npy") for name in members if name.endswith(".npy")]
        for key in AXES:
            if key not in keys:
                has = ", ".join(keys) or "no arrays"
                raise UserError(f"{path}: there is no array {key}; it has {has}; expected {FORM}")
            with archive.open(f"{key}.npy") as stream:
                available = archive.getinfo(f"{key}.npy").file_size
                arrays.append(_header(stream, available, path, key))
            if arrays[-1].fortran_order:
                raise UserError(
                    f"{path}: {key} is in Fortran order, in which an .npz cannot be streamed; "
                    f"expected C order: save numpy.ascontiguousarray({key})"
                )
    return arrays[0], arrays[1]


def _header(stream: BinaryIO, available: int, path: Path, key: str) -> Array:
    try:
        read = _HEADERS[np.lib.format.read_magic(stream)]
        array = Array(path, key, *read(stream), offset=stream.tell())
    except (ValueError, KeyError, SyntaxError, tokenize.TokenError) as error:
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
    if available < array.offset + array.data_bytes:
        kept = max(0, available - array.offset) // array.record_bytes
        raise UserError(
            f"{path}: {key} is cut short in record {kept}; "
            f"expected {array.shape[0]} records of {array.record_bytes} bytes"
        )
    return array


def mapped(
    x: Array, y: Array, wanted: Callable[[int], bool]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields the wanted records of two .npy files, without reading the others.

    Args:
        x: Header of the waveforms.
        y: Header of the labels.
        wanted: Says by its index whether a record is wanted.

    Yields:
        index, waveform (channels, steps) and label (steps,), both float32.

    Raises:
        UserError: If a file is damaged.
    """
    count = x.shape[0]
    block = max(1, _MAPPED_BYTES // (x.record_bytes + y.record_bytes))
    for start in range(0, count, block):
        # A new map for every block: pages that have been read do not stay in this process.
        with _damage_told(x.path):
            waveforms, labels = _map(x), _map(y)
        for index in filter(wanted, range(start, min(start + block, count))):
            yield index, _as_float32(waveforms[index]), _as_float32(labels[index])


def _map(array: Array) -> np.memmap:
    order = "F" if array.fortran_order else "C"
    return np.memmap(array.path, array.dtype, "r", array.offset, array.shape, order)


def streamed(
    x: Array, y: Array, wanted: Callable[[int], bool]
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields the wanted records of an .npz file, of which one record at a time is in memory.

    Args:
        x: Header of the waveforms.
        y: Header of the labels, in the same file.
        wanted: Says by its index whether a record is wanted.

    Yields:
        index, waveform (channels, steps) and label (steps,), both float32.

    Raises:
        UserError: If the file is damaged.
    """
    with _damage_told(x.path), contextlib.ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(x.path))
        streams = [stack.enter_context(archive.open(f"{key}.npy")) for key in AXES]
        for stream, array in zip(streams, (x, y), strict=True):
            stream.read(array.offset)
        for index in range(x.shape[0]):
            waveform, label = (
                _next(stream, array, index) for stream, array in zip(streams, (x, y), strict=True)
            )
            if wanted(index):
                yield index, _as_float32(waveform), _as_float32(label)
        for stream in streams:
            stream.read(1)  # zipfile compares an array's checksum when it meets the end


def _next(stream: BinaryIO, array: Array, index: int) -> np.ndarray:
    with _damage_told(array.path, f" in {array.key} at record {index}"):
        data = stream.read(array.record_bytes)
        if len(data) < array.record_bytes:
            raise EOFError
    return np.frombuffer(data, array.dtype).reshape(array.shape[1:])


def _as_float32(values: np.ndarray) -> np.ndarray:
    # What is too large for float32 becomes infinite, which is for the caller to refuse.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array(values, dtype=np.float32, order="C")


@contextlib.contextmanager
def _damage_told(path: Path, place: str = "") -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        kind = "numpy.savez" if path.suffix == ".npz" else "numpy.save"
        why = str(error) or "it ends too soon"
        raise UserError(
            f"{path}: cannot be read{place} ({why}); expected a whole file as {kind} writes it"
        ) from error
