"""Has the C library keep the memory that a step frees, for the next step, in huge pages."""

import ctypes
import mmap
import os
import resource
from pathlib import Path

# glibc's malloc.h: what `mallopt` sets, and to what.
_MAPPED_BY_ITSELF = 1 << 30
_SETTINGS = (
    (-8, 1),  # M_ARENA_MAX: the heaps of threads hold nothing larger than 64 MB
    (-3, _MAPPED_BY_ITSELF),  # M_MMAP_THRESHOLD: bytes from which an array is mapped by itself
    (-1, (1 << 31) - 1),  # M_TRIM_THRESHOLD: free bytes from which the heap shrinks
    (-2, 64 << 20),  # M_TOP_PAD: bytes by which it grows
)
_USERS_OWN = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")

_HUGE_PAGE = 2 << 20
_RESERVED = (_MAPPED_BY_ITSELF - (1 << 20),) * 4  # bytes, addresses and not memory until written
_ON_DEMAND = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")


def keep_freed_memory() -> bool:
    """Keeps freed memory, before TensorFlow is imported.

    TensorFlow allocates the arrays of a step and frees them. glibc gives larger ones back to the
    system at once, which hands out and clears every page of them again in the next step: a quarter
    of a step of `conv_ae` on two cores (docs/kernels.md). A process that keeps them holds what
    its largest step needs until it ends.

    Where Linux has huge pages for those who ask (`madvise`), the first 4 GB of the heap do: the
    processor then finds the place of an array's page in its tables, instead of looking it up in
    memory.

    Returns:
        Whether it does: not where the environment configures the allocator, or it is not glibc's.
    """
    if any(name.startswith(_USERS_OWN) for name in os.environ):
        return False
    try:
        libc = ctypes.CDLL(None)
        set_option = libc.mallopt
    except (AttributeError, OSError, TypeError):
        return False
    kept = all(set_option(option, value) for option, value in _SETTINGS)
    if kept and _can_reserve():
        _ask_for_huge_pages(libc)
    return kept


def _can_reserve() -> bool:
    """Whether huge pages have to be asked for, and addresses cost nothing."""
    limits = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    if any(resource.getrlimit(limit)[0] != resource.RLIM_INFINITY for limit in limits):
        return False
    try:
        counted = _OVERCOMMIT.read_text().strip() == "2"
        return "[madvise]" in _ON_DEMAND.read_text() and not counted
    except OSError:
        return False


def _ask_for_huge_pages(libc: ctypes.CDLL) -> None:
    """Lets the heap grow, asks for its new part, and frees that."""
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    blocks = [(libc.malloc(size), size) for size in _RESERVED]
    # Stays, and holds what lies before it: protobuf calls `malloc_trim`, which shrinks the heap.
    libc.malloc(1 << 20)
    for block, size in blocks:
        if block:
            start, end = -(-block // _HUGE_PAGE), (block + size) // _HUGE_PAGE
            libc.madvise(start * _HUGE_PAGE, (end - start) * _HUGE_PAGE, mmap.MADV_HUGEPAGE)
            libc.free(block)
