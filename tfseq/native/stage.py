"""A part of a network that the kernels hold, and compute for some records."""

import ctypes
import functools
import weakref
from collections.abc import Sequence

import numpy as np

from tfseq.native import library


class Stage:
    """A part of a network.

    Args:
        kind: What stands behind `tfseq_new_` in the sources.
        numbers: What the kernels have to know of it.
        weights: Its weights.
        shape: What it computes of a record.
    """

    def __init__(
        self, kind: str, numbers: Sequence[int], weights: np.ndarray, shape: tuple[int, ...]
    ) -> None:
        self._kind, self._shape = kind, shape
        self._numbers = np.array(numbers, np.int32)
        self._weights = np.asarray(weights, np.float32)

    @functools.cached_property
    def _held(self) -> ctypes.c_void_p:
        """What the kernels hold of it."""
        new = library.kernels().functions[f"tfseq_new_{self._kind}"]
        new.restype = ctypes.c_void_p
        held = ctypes.c_void_p(new(self._numbers.ctypes, self._weights.ctypes))
        weakref.finalize(self, library.kernels().functions.tfseq_delete, held)
        return held

    def __call__(self, values: np.ndarray) -> np.ndarray | None:
        """Returns (batch, ...) float32 for such values; None if something is not finite."""
        values = np.ascontiguousarray(values, np.float32)
        found = np.empty((len(values), *self._shape), np.float32)
        pointers = self._held, values.ctypes, found.ctypes
        return found if library.kernels().functions.tfseq_run(*pointers, len(values)) else None
