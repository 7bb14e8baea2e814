"""What a step frees is there for the next one."""

import pytest

from tfseq import allocator

SCRIPT = """
import resource, sys, threading
import numpy as np
from tfseq import allocator

kept = sys.argv[1] == "kept" and allocator.keep_freed_memory()

def step():
    for _ in range(8):
        np.ones(48 << 20, np.uint8)

faults = []
def steps():
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        step()
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

thread = threading.Thread(target=steps)
thread.start()
thread.join()
print(kept, faults[-1])
"""


def test_the_pages_of_a_step_are_those_of_the_one_before(python):
    kept, faults = python(SCRIPT, "kept").split()
    otherwise = python(SCRIPT, "not kept").split()[1]
    assert kept == "True"
    assert int(faults) < int(otherwise) / 4


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "LD_PRELOAD"])
def test_what_the_user_has_set_stays(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert not allocator.keep_freed_memory()
