"""What the device of JAX can do at best: the floors under the figures of a GPU."""

import os
import platform
from importlib import metadata
from typing import Any

from benchmarks.contenders import JAX_ENVIRONMENT

os.environ.update(JAX_ENVIRONMENT)

import jax
from jax import numpy as jnp

from benchmarks.machine import fastest

_COPIED = {"gpu": 1 << 30, "cpu": 1 << 27}  # bytes: far more than caches hold
_SIDE = {"gpu": 8192, "cpu": 1024}  # of the square matrices
_TIMES = 10  # in a row: calling takes as long as a copy


def describe() -> dict[str, Any]:
    """Returns the device, its measured peaks, and the versions of the libraries."""
    (device, *_), kind = jax.local_devices(), jax.default_backend()
    return {
        "processor": device.device_kind,
        "cores": len(os.sched_getaffinity(0)),
        "backend": "jax",
        "copy_gigabytes_per_second": _copy(_COPIED[kind]),
        "float32_gigaflops": _product(_SIDE[kind], "float32"),
        "bfloat16_gigaflops": _product(_SIDE[kind], "bfloat16"),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in ("keras", "jax", "torch")},
    }


def name(described: dict[str, Any]) -> str:
    """Returns what a machine is called: after its accelerator."""
    return described["processor"]


def _copy(size: int) -> float:
    """Bytes read plus bytes written a second."""
    scale = jax.jit(lambda x: x * 0.5, donate_argnums=0)
    arrays = [jax.random.uniform(jax.random.key(0), (size // 4,))]

    def run() -> None:
        for _ in range(_TIMES):
            arrays[0] = scale(arrays[0])
        arrays[0].block_until_ready()

    return 2 * size * _TIMES / fastest(run) / 1e9


def _product(side: int, kind: str) -> float:
    """Operations a second of a product of matrices, in JAX's default precision."""
    product = jax.jit(jnp.matmul)
    matrix = jax.random.normal(jax.random.key(0), (side, side)).astype(kind)

    def run() -> None:
        for _ in range(_TIMES):
            result = product(matrix, matrix)
        result.block_until_ready()

    return 2 * side**3 * _TIMES / fastest(run) / 1e9
