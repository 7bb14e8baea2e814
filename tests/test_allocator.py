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


HUGE = """
import resource, sys
import numpy as np
from tfseq import allocator

if sys.argv[1] == "limited":
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
kept = allocator.keep_freed_memory()
array = np.ones(256 << 20, np.uint8)
with open("/proc/self/smaps_rollup") as file:
    (huge,) = [int(line.split()[1]) for line in file if line.startswith("AnonHugePages")]
with open("/proc/self/status") as file:
    (size,) = [int(line.split()[1]) for line in file if line.startswith("VmSize")]
print(kept, huge / 1024, size / 1024)
"""


def test_memory_comes_in_huge_pages_where_they_are_to_be_asked_for(python):
    on_demand = "[madvise]" in allocator._ON_DEMAND.read_text()
    kept, huge, size = python(HUGE, "free").split()
    assert kept == "True"
    assert (float(size) > 4000) == on_demand
    if on_demand:
        assert float(huge) > 200


def test_where_addresses_are_limited_none_are_reserved(python):
    kept, _, size = python(HUGE, "limited").split()
    assert kept == "True"
    assert float(size) < 1000
