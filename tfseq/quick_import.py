"""Has an import leave out what the imported packages only offer to work with."""

import contextlib
import gc
import sys
from collections.abc import Iterator

# Keras imports these for `keras.wrappers` and `keras.visualization`, TensorFlow for models of JAX,
# and both go without where they are not installed.
_LEFT_OUT = ("jax", "matplotlib", "sklearn")


@contextlib.contextmanager
def quick_import() -> Iterator[None]:
    """Imports TensorFlow in half the time (docs/kernels.md).

    What the block imports finds jax, matplotlib and sklearn as if they were not installed; after it
    they can be imported as ever. Nor are the hundred thousands of objects that an import leaves
    searched for garbage, in the block, after it or when the process ends.
    """
    absent = [name for name in _LEFT_OUT if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collecting:
            gc.enable()
        for name in absent:
            del sys.modules[name]
