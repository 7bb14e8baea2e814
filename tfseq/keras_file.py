"""Loads what Keras has written without running what it holds.

A .keras file is a zip archive of a description of the layers and their weights. Keras's safe mode
refuses the layers that carry Python code (`Lambda`).
"""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
