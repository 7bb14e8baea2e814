"""Reads and writes Keras's files, without running what they hold or copying them in memory.

A .keras file is a zip archive of a description of the layers and their weights, an HDF5 file.
Keras's safe mode refuses the layers that carry Python code (`Lambda`).
"""

import contextlib
import functools
import io
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import keras
from keras.src.saving import saving_lib

from tfseq import transform  # noqa: F401 - registers a layer that Keras has to find

DAMAGE = (
    *(OSError, EOFError, LookupError, ValueError, TypeError, RuntimeError, AttributeError),
    *(ImportError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""What zipfile, h5py and Keras raise for bytes that are not theirs, or that Keras refuses."""

_DESCRIPTION = 1 << 12  # bytes of HDF5 an array, at most, beside its values

# Keras 3.15 keeps what this returns under one name and looks for it under another: every save makes
# metrics and an optimizer to look at, and 70 KB of their memory never come back from TensorFlow.
saving_lib.get_attr_skipset = functools.cache(saving_lib.get_attr_skipset)


def save(model: keras.Model, path: Path) -> None:
    """Writes a .keras file, by way of a file without a name in the same folder.

    Keras would make all of it in memory: 4 GB more for the 216 million weights of the report's MLP.

    Args:
        model: With its optimizer.
        path: The file. What a failure leaves of it is the caller's.

    Raises:
        OSError: If it cannot be written, for want of room, say.
    """
    arrays = [*model.variables, *model.optimizer.variables]
    size = int(saving_lib.weight_memory_size(arrays)) + _DESCRIPTION * (len(arrays) + 1)
    with tempfile.TemporaryFile(dir=path.parent) as beside:
        if hasattr(os, "posix_fallocate"):
            # Is there room? HDF5 does not survive a write that fails.
            os.posix_fallocate(beside.fileno(), 0, size)
            beside.truncate(0)
        with _weights_in(type("_Written", (_Written,), {"beside": beside})):
            model.save(path)


def load(path: Path, *, compile: bool = True) -> keras.Model:
    """Returns the model in a .keras file.

    Args:
        path: The file.
        compile: Whether optimizer and loss are restored too.

    Raises:
        DAMAGE: If the file is damaged, holds Python code, or is larger inside than outside.
    """
    require_uncompressed(path)
    with _weights_in(_Read):
        return keras.models.load_model(path, compile=compile, safe_mode=True)


def load_weights(model: keras.Model, path: Path) -> None:
    """Gives a model the weights in a .keras file.

    Raises:
        DAMAGE: If the file is damaged, or its weights are not the model's.
    """
    with _weights_in(_Read):
        model.load_weights(path)


def from_architecture(architecture: dict[str, Any], variables: Sequence[Any]) -> keras.Model:
    """Returns the model that `keras.Model.to_json` described, with the values of other variables.

    Args:
        architecture: What the JSON holds.
        variables: At least those of the model, in its order.

    Raises:
        DAMAGE: If it is damaged, holds Python code, or the variables are not those of the model.
    """
    model = keras.saving.deserialize_keras_object(architecture, safe_mode=True)
    if len(variables) < len(model.variables):
        raise ValueError(f"{len(variables)} variables for a model of {len(model.variables)}")
    for variable, value in zip(model.variables, variables, strict=False):
        variable.assign(value)
    return model


def require_uncompressed(path: Path) -> None:
    """Refuses an archive that grows as it is read. Keras compresses nothing.

    Raises:
        ValueError: If it is one.
        zipfile.BadZipFile: If it is no archive.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("an entry is compressed, which Keras does not do")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise ValueError("its entries are larger than the file")


def require_whole(path: Path) -> None:
    """Refuses an archive that grows as it is read, or whose bytes are not those that were written.

    Raises:
        ValueError: If it grows.
        zipfile.BadZipFile: If it is no archive, or is damaged.
    """
    require_uncompressed(path)
    with zipfile.ZipFile(path) as archive:
        if bad := archive.testzip():
            raise zipfile.BadZipFile(bad)


class _Written(saving_lib.H5IOStore):
    """Weights that HDF5 writes to a file beside the archive, which then takes them in."""

    beside: BinaryIO

    def _get_h5_file(self, path_or_io: Any, mode: str | None = None) -> h5py.File:
        return h5py.File(self.beside, mode=mode or self.mode)

    def close(self) -> None:
        """Copies them, unless Keras has taken the archive away: it does so after an error."""
        self.h5_file.close()
        if not self.archive:
            return
        entry = zipfile.ZipInfo(str(self.path_or_io))
        entry.file_size = self.beside.seek(0, os.SEEK_END)
        self.beside.seek(0)
        with self.archive.open(entry, "w") as target:
            shutil.copyfileobj(self.beside, target, 1 << 20)


class _Read(saving_lib.H5IOStore):
    """Weights that HDF5 reads where they lie in the archive."""

    def _get_h5_file(self, path_or_io: Any, mode: str | None = None) -> h5py.File:
        self.io_file = _Entry(self.archive, str(path_or_io))
        return h5py.File(self.io_file, mode=mode or self.mode)


class _Entry(io.RawIOBase):
    """An uncompressed entry of an archive, as a file.

    What `zipfile` opens goes back by reading all from the beginning (Python 3.11).
    """

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        super().__init__()
        info = archive.getinfo(name)
        with archive.open(info):  # whose header is looked at
            pass
        self._file = Path(archive.filename).open("rb")  # noqa: SIM115 - closed below
        self._file.seek(info.header_offset + 26)
        self._start = info.header_offset + 30 + sum(struct.unpack("<HH", self._file.read(4)))
        self._size, self._position = info.file_size, 0

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read from anywhere."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes to a position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Reads from there on."""
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._position)]
        self._file.seek(self._start + self._position)
        count = self._file.readinto(view)
        self._position += count
        return count

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()


@contextlib.contextmanager
def _weights_in(store: type[saving_lib.H5IOStore]) -> Iterator[None]:
    """Has Keras keep weights in archives by a store of ours."""
    before = saving_lib.H5IOStore, saving_lib.is_memory_sufficient
    saving_lib.H5IOStore, saving_lib.is_memory_sufficient = store, _not_in_memory
    try:
        yield
    finally:
        saving_lib.H5IOStore, saving_lib.is_memory_sufficient = before


def _not_in_memory(model: keras.Model) -> bool:
    """Keras takes this as an error in opening a copy, and does without one."""
    raise MemoryError(model.name)
