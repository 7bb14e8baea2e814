"""Loads a .keras file without running what it holds.

A .keras file is a zip archive of a description of the layers and their weights. Keras's safe mode
refuses the layers that carry Python code (`Lambda`).
"""

import struct
import zipfile
import zlib
from pathlib import Path

import keras

from tfseq import transform  # noqa: F401 - registers a layer that Keras has to find

DAMAGE = (
    *(OSError, EOFError, LookupError, ValueError, TypeError, RuntimeError, AttributeError),
    *(ImportError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""What zipfile, h5py and Keras raise for bytes that are not theirs, or that Keras refuses."""


def load(path: Path, *, compile: bool = True) -> keras.Model:
    """Returns the model in a .keras file.

    Args:
        path: The file.
        compile: Whether optimizer and loss are restored too.

    Raises:
        DAMAGE: If the file is damaged, holds Python code, or is larger inside than outside.
    """
    require_uncompressed(path)
    return keras.models.load_model(path, compile=compile, safe_mode=True)


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
