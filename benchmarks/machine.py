"""What a machine can do at best: the floors under every figure."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent import futures
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

_COPIED = 128 << 20  # bytes of each of a thread's two arrays: far more than caches hold
_SIDE = 4096  # of the square matrices


def describe() -> dict[str, Any]:
    """Returns the processor, its measured peaks, and the versions of the libraries."""
    cores = len(os.sched_getaffinity(0))
    products = _products()
    return {
        "processor": _processor(),
        "cores": cores,
        "copy_gigabytes_per_second": _copy(cores),
        "float32_gigaflops": products["float32"],
        "bfloat16_gigaflops": products["bfloat16"],
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in ("tensorflow", "keras", "torch")},
    }


def name(described: dict[str, Any]) -> str:
    """Returns what a machine is called."""
    return f"{described['processor']}, {described['cores']} cores"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def fastest(function: Callable[[], Any]) -> float:
    """Returns the seconds that a function takes when nothing disturbs it."""
    times: list[float] = []  # of 7 calls, or 3 long ones
    while len(times) < 3 or (len(times) < 7 and sum(times) < 3):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(sorted(times)[:3])


def _copy(threads: int) -> float:
    """Bytes read plus bytes written a second, by all cores at once."""
    pairs = [[np.ones(_COPIED // 4, np.float32) for _ in range(2)] for _ in range(threads)]
    with futures.ThreadPoolExecutor(threads) as pool:
        seconds = fastest(lambda: list(pool.map(lambda pair: np.copyto(*pair), pairs)))
    return 2 * threads * _COPIED / seconds / 1e9


def _products() -> dict[str, float]:
    import tensorflow as tf

    operations = 2 * _SIDE**3
    rates = {}
    for kind in ("float32", "bfloat16"):
        matrix = tf.cast(tf.random.normal((_SIDE, _SIDE)), kind)
        product = tf.function(lambda a: tf.reduce_sum(tf.cast(a @ a, tf.float32)))
        rates[kind] = operations / fastest(lambda m=matrix, f=product: f(m).numpy()) / 1e9
    return rates


def floor(model: Any, batch_size: int, machine: dict[str, Any]) -> dict[str, float]:
    """Returns the least that a training step can take, and what of.

    Every activation is written and read forward, its gradient backward: 16 bytes a value. The
    optimizer reads gradient, weight and slot, and writes the latter two: 20 bytes a weight. A
    step does three products for each of the forward pass. Time is the longer of the two, as if
    they overlapped.

    Args:
        model: A Keras model.
        batch_size: Records a step.
        machine: What `describe` returned.

    Returns:
        `gigabytes`, `gigaflops`, `milliseconds`.
    """
    from keras import layers

    transposed = (layers.Conv1DTranspose, layers.Conv2DTranspose)
    weighted = (layers.Conv1D, layers.Conv2D, *transposed, layers.Dense)
    kept = (*weighted, layers.MaxPooling1D, layers.MaxPooling2D, layers.Add)
    values = operations = 0
    for layer in model.layers:
        if isinstance(layer, kept):
            size = int(np.prod(layer.output.shape[1:]))
            values += size
        if isinstance(layer, weighted):
            over = layer.input if isinstance(layer, transposed) else layer.output
            places = int(np.prod(over.shape[1:-1]))
            operations += 2 * places * int(np.prod(layer.kernel.shape))
    gigabytes = (16 * values * batch_size + 20 * model.count_params()) / 1e9
    gigaflops = 3 * operations * batch_size / 1e9
    seconds = max(
        gigabytes / machine["copy_gigabytes_per_second"],
        gigaflops / machine["float32_gigaflops"],
    )
    return {"gigabytes": gigabytes, "gigaflops": gigaflops, "milliseconds": 1000 * seconds}
