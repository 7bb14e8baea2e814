"""Reads the weights of the report's PyTorch models into their Keras counterparts."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from tfseq.errors import UserError

_SUFFIXES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# PyTorch: linear (out, in), conv (out, in, ...), transposed conv (in, out, ...).
# Keras: dense (in, out), conv (..., in, out), transposed conv (..., out, in).
_KERNEL_AXES = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}


def load(model: keras.Model, source: Mapping[str, np.ndarray] | str | Path) -> None:
    """Sets all weights of a model.

    Args:
        model: One of `tfseq.models`.
        source: The report's parameter names (`features.0.weight`, `block_1.3.bias`, ...) with their
            arrays in PyTorch's layout, or a .npz, .safetensors or .pt file that holds them; names
            may begin with `state/`. Counters of batches (`num_batches_tracked`) are passed over.

    Raises:
        UserError: If an array is missing, superfluous or does not fit, or the file cannot be
            read; the model is left as it was.
    """
    where = "the mapping" if isinstance(source, Mapping) else str(source)
    arrays = dict(source) if isinstance(source, Mapping) else _read(Path(source))
    arrays = {
        name.removeprefix("state/"): np.asarray(array)
        for name, array in arrays.items()
        if not name.endswith("num_batches_tracked")
    }
    variables = dict(_torch_names(model))
    problems = [f"{name} is missing" for name in variables if name not in arrays]
    problems += [f"{name} is not one of the model's" for name in arrays if name not in variables]
    values = {}
    for name in variables.keys() & arrays.keys():
        values[name] = _in_keras_layout(arrays[name], variables[name])
        if values[name].shape != tuple(variables[name].shape):
            expected = _torch_shape(variables[name])
            problems.append(f"{name} has shape {arrays[name].shape}, expected {expected}")
        if arrays[name].dtype.kind in "OSUc":
            problems.append(f"{name} is of type {arrays[name].dtype}, expected real numbers")
    if problems:
        raise UserError(f"{where} does not fit {model.name}: {'; '.join(problems)}")
    for name, value in values.items():
        variables[name].assign(value)


def _torch_names(model: keras.Model) -> list[tuple[str, keras.Variable]]:
    names = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            continue  # scaling of the input is not a weight of the network
        module, _, index = layer.name.rpartition("_")
        names += [
            (f"{module}.{index}.{_SUFFIXES[variable.name]}", variable)
            for variable in layer.weights
            if variable.name in _SUFFIXES
        ]
    return names


def _in_keras_layout(array: np.ndarray, variable: keras.Variable) -> np.ndarray:
    if variable.name != "kernel" or array.ndim != len(variable.shape):
        return array
    return array.transpose(_KERNEL_AXES[array.ndim])


def _torch_shape(variable: keras.Variable) -> tuple[int, ...]:
    if variable.name != "kernel":
        return tuple(variable.shape)
    axes = _KERNEL_AXES[len(variable.shape)]
    return tuple(variable.shape[axes.index(axis)] for axis in range(len(axes)))


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file of weights")
    readers = {".npz": _read_npz, ".safetensors": _read_safetensors, ".pt": _read_pt}
    if path.suffix not in readers:
        raise UserError(f"{path}: expected a file of weights in {', '.join(readers)}")
    try:
        return readers[path.suffix](path)
    except UserError:
        raise
    except Exception as error:  # each format's library has errors of its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a readable {path.suffix} file ({reason})") from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        inside = {name: arrays[name] for name in arrays.files}
    state = {name: array for name, array in inside.items() if name.startswith("state/")}
    return state or inside


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def _read_pt(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError as error:
        raise UserError(f"{path}: reading .pt needs PyTorch: pip install 'tfseq[torch]'") from error
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.detach().float().numpy() for name, tensor in state.items()}
