"""Reads the weights of the report's PyTorch models into their Keras counterparts."""

import re
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from tfseq import weight_files
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
# As numpy, safetensors and PyTorch call them.
_REAL = re.compile(r"(bool|u?int\d+|b?float\d+(?!_)|[<>][fiu]\d+|[FIU]\d+|BF16|BOOL)$")
_PREFIX = "state/"
_MOST_PROBLEMS = 100
_MOST_CHARACTERS = 80


def load(model: keras.Model, source: Mapping[str, np.ndarray] | str | Path) -> None:
    """Sets all weights of a model.

    Args:
        model: One of `tfseq.models`.
        source: The report's parameter names (`features.0.weight`, `block_1.3.bias`, ...) with their
            arrays in PyTorch's layout, or a .npz, .safetensors or .pt file that holds them. Where
            names begin with `state/`, others are passed over, as are counters of batches
            (`num_batches_tracked`).

    Raises:
        UserError: If an array is missing, superfluous or does not fit, or the file cannot be
            read; the model is left as it was.
    """
    if isinstance(source, Mapping):
        _load(model, weight_files.of_mapping(source), "the mapping")
        return
    with weight_files.opened(Path(source)) as arrays:
        _load(model, arrays, str(source))


def _load(model: keras.Model, stored: Mapping[str, weight_files.Stored], where: str) -> None:
    prefix = _PREFIX if any(name.startswith(_PREFIX) for name in stored) else ""
    arrays = {
        name.removeprefix(prefix): array
        for name, array in stored.items()
        if name.startswith(prefix) and not name.endswith("num_batches_tracked")
    }
    variables = dict(_torch_names(model))
    problems = [f"{name} is missing" for name in variables if name not in arrays]
    others = [repr(name)[1:-1] for name in arrays if name not in variables]
    problems += [f"{name[:_MOST_CHARACTERS]} is not one of the model's" for name in others]
    for name in variables.keys() & arrays.keys():
        expected = _torch_shape(variables[name])
        if arrays[name].shape != expected:
            problems.append(f"{name} has shape {arrays[name].shape}, expected {expected}")
        if not _REAL.match(arrays[name].dtype):
            problems.append(f"{name} is of type {arrays[name].dtype}, expected real numbers")
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        told = "; ".join(problems[:_MOST_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
        raise UserError(f"{where} does not fit {model.name}: {told}")
    values = {
        name: _in_keras_layout(arrays[name].read(), variable)
        for name, variable in variables.items()
    }
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
    if variable.name != "kernel":
        return array
    return array.transpose(_KERNEL_AXES[array.ndim])


def _torch_shape(variable: keras.Variable) -> tuple[int, ...]:
    if variable.name != "kernel":
        return tuple(variable.shape)
    axes = _KERNEL_AXES[len(variable.shape)]
    return tuple(variable.shape[axes.index(axis)] for axis in range(len(axes)))
