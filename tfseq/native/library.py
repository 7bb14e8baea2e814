"""Builds the kernels and loads them, into the process and as operations of TensorFlow."""

import ctypes
import functools
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
from concurrent import futures
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import tensorflow as tf
from absl import logging

_SOURCES = Path(__file__).parent
# GNU's C++ allows a product and a sum to be one instruction; the standard's does not.
_FLAGS = ("-std=gnu++17", "-O3", "-march=native", "-fPIC")
_LONGEST_BUILD = 300  # seconds


def available() -> bool:
    """Whether there are kernels for this processor; builds them where they have not been yet."""
    return kernels() is not None


class Kernels(NamedTuple):
    """The kernels of this process.

    Attributes:
        functions: What Python calls (`tfseq.native.stage`).
        operations: What TensorFlow does (`tfseq.native` but for `inference`).
    """

    functions: ctypes.CDLL
    operations: ModuleType


@functools.cache
def kernels() -> Kernels | None:
    """Returns the kernels, if they are available."""
    if sys.platform != "linux":
        return None
    try:
        path = str(_built())
        # TensorFlow first: it takes note of the operations that a library brings as it loads it.
        operations = tf.load_op_library(path)
        return Kernels(ctypes.CDLL(path), operations)
    except FileNotFoundError as error:
        reason = f"no C++ compiler ({error.filename})"
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip() or str(error)).splitlines()[0]
    except (
        OSError,
        RuntimeError,
        ValueError,
        subprocess.TimeoutExpired,
        tf.errors.OpError,
    ) as error:
        reason = str(error)
    logging.warning("Without tfseq's own kernels, which are faster: %s", reason)
    return None


def _built() -> Path:
    """Returns the library of this machine.

    Raises:
        OSError: If it cannot be built or written, FileNotFoundError without a compiler.
        RuntimeError: If the user has no home.
        ValueError: If `$CXX` is no command, or TensorFlow has no library to stand on.
        subprocess.SubprocessError: If building fails.
    """
    compiler = shlex.split(os.environ.get("CXX", "")) or ["c++"]
    sources = sorted([*_SOURCES.glob("*.cc"), *_SOURCES.glob("*.h")])
    # What the compiler defines tells its version and what the processor can do.
    parts = [_run([*compiler, *_FLAGS, "-dM", "-E", "-x", "c++", os.devnull]), tf.__version__]
    parts += [path.read_text() for path in sources]
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfseq"
    library = cache / f"native-{name}.so"
    if not library.exists():
        logging.info("Building tfseq's own kernels for this processor, once")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _build(compiler, [path for path in sources if path.suffix == ".cc"], Path(folder))
            (Path(folder) / "native.so").replace(library)
    return library


def _build(compiler: list[str], sources: list[Path], folder: Path) -> None:
    """Builds `native.so` in a folder.

    It needs TensorFlow's library, which a process that loads it has loaded. Linking to that takes
    ten seconds; to an empty one of the same name, none.
    """
    (tensorflow,) = Path(tf.sysconfig.get_lib()).glob("libtensorflow_framework.so.*")
    stub = folder / tensorflow.name
    named = f"-Wl,-soname,{tensorflow.name}"
    _run([*compiler, "-shared", named, "-x", "c++", os.devnull, "-o", str(stub)])
    include = ["-isystem", tf.sysconfig.get_include()]

    def compiled(source: Path) -> str:
        target = str(folder / f"{source.stem}.o")
        _run([*compiler, *_FLAGS, *include, "-c", str(source), "-o", target])
        return target

    with futures.ThreadPoolExecutor() as pool:
        objects = list(pool.map(compiled, sources))
    linked = ["-Wl,--no-as-needed", str(stub), "-pthread"]
    _run([*compiler, "-shared", *objects, *linked, "-o", str(folder / "native.so")])


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_LONGEST_BUILD
    )
    return done.stdout
