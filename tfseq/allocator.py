"""Has the C library keep the memory that a step frees, for the next step."""

import ctypes
import os

# glibc's malloc.h: what `mallopt` sets, and to what.
_SETTINGS = (
    (-8, 1),  # M_ARENA_MAX: the heaps of threads hold nothing larger than 64 MB
    (-3, 1 << 30),  # M_MMAP_THRESHOLD: bytes from which an array is mapped by itself
    (-1, (1 << 31) - 1),  # M_TRIM_THRESHOLD: free bytes from which the heap shrinks
    (-2, 64 << 20),  # M_TOP_PAD: bytes by which it grows
)
_USERS_OWN = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """Keeps freed memory, before TensorFlow is imported.

    TensorFlow allocates the arrays of a step and frees them. glibc gives larger ones back to the
    system at once, which hands out and clears every page of them again in the next step: a quarter
    of a step of `conv_ae` on two cores (docs/performance.md). A process that keeps them holds what
    its largest step needs until it ends.

    Returns:
        Whether it does: not where the environment configures the allocator, or it is not glibc's.
    """
    if any(name.startswith(_USERS_OWN) for name in os.environ):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(set_option(option, value) for option, value in _SETTINGS)
