"""The arrays in a file of weights, whoever has written it.

What a file declares is looked at before any of it is read, and nothing in it is run: an array is
read once its shape is known to be the one that is wanted.
"""

import contextlib
import dataclasses
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from tfseq import npy_format
from tfseq.errors import UserError, reason

_LARGEST_PICKLE = 2**24


@dataclasses.dataclass(frozen=True)
class Stored:
    """An array in a file.

    Attributes:
        shape: Its shape.
        dtype: The name of its type.
        read: Returns it.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]


def of_mapping(arrays: Mapping[str, np.ndarray]) -> dict[str, Stored]:
    """Returns arrays that are in memory already, PyTorch's tensors among them."""
    found = {name: np.asarray(array) for name, array in arrays.items()}
    return {name: _in_memory(array) for name, array in found.items()}


def _in_memory(array: np.ndarray) -> Stored:
    return Stored(array.shape, str(array.dtype), lambda: array)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[dict[str, Stored]]:
    """Opens a file, whose arrays can be read as long as it is open.

    Args:
        path: A .npz, .safetensors or .pt file.

    Yields:
        The arrays by name.

    Raises:
        UserError: If there is no such file, or it is damaged, also where that comes to light in
            the block.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file of weights")
    readers = {".npz": _npz, ".safetensors": _safetensors, ".pt": _pt}
    if path.suffix not in readers:
        raise UserError(f"{path}: expected a file of weights in {', '.join(readers)}")
    try:
        with readers[path.suffix](path) as arrays:
            yield arrays
    except UserError:
        raise
    except Exception as error:  # each format's library has errors of its own
        why = reason(error) or type(error).__name__
        raise UserError(f"{path}: not a readable {path.suffix} file ({why})") from error


@contextlib.contextmanager
def _npz(path: Path) -> Iterator[dict[str, Stored]]:
    with zipfile.ZipFile(path) as archive:
        yield {
            entry.filename.removesuffix(".npy"): _npz_entry(archive, entry)
            for entry in archive.infolist()
        }


def _npz_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Stored:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("an array is compressed as numpy does not")
    with archive.open(entry) as stream:
        header = npy_format.read_header(stream)
    if header.dtype.hasobject:
        raise ValueError("an array holds Python objects")

    def read() -> np.ndarray:
        with archive.open(entry) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)

    return Stored(header.shape, str(header.dtype), read)


@contextlib.contextmanager
def _safetensors(path: Path) -> Iterator[dict[str, Stored]]:
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        yield {name: _safetensor(file, name) for name in file.keys()}  # noqa: SIM118 - no mapping


def _safetensor(file, name: str) -> Stored:
    part = file.get_slice(name)
    return Stored(tuple(part.get_shape()), part.get_dtype(), lambda: file.get_tensor(name))


@contextlib.contextmanager
def _pt(path: Path) -> Iterator[dict[str, Stored]]:
    try:
        import torch
    except ImportError as error:
        raise UserError(f"{path}: reading .pt needs PyTorch: pip install 'tfseq[torch]'") from error
    _require_plain(path)
    # Mapped: what the tensors of a checkpoint take is not read before they are asked for.
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    yield {name: _tensor(tensor) for name, tensor in state.items()}


def _tensor(tensor) -> Stored:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Stored(tuple(tensor.shape), dtype, lambda: tensor.detach().float().numpy())


def _require_plain(path: Path) -> None:
    """Refuses a .pt file that is not a plain archive: PyTorch 1.6 and newer compress nothing."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("an entry is compressed, which PyTorch does not do")
    for entry in entries:
        if entry.filename.endswith(".pkl") and entry.file_size > _LARGEST_PICKLE:
            raise ValueError(f"{entry.filename} is larger than {_LARGEST_PICKLE >> 20} MiB")
