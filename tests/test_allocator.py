"""What a step frees is there for the next one."""

from pathlib import Path

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
import ctypes, resource, sys
from tfseq import allocator

if sys.argv[1] == "limited":
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
kept = allocator.keep_freed_memory()
array = ctypes.create_string_buffer(256 << 20)  # NumPy asks for its own
place, within, asked = ctypes.addressof(array) + (128 << 20), False, False
with open("/proc/self/smaps") as file:
    for line in file:
        first = line.split()[0]
        if not first.endswith(":"):
            start, end = (int(address, 16) for address in first.split("-"))
            within = start <= place < end
        elif within and first == "VmFlags:":
            asked = "hg" in line.split()
with open("/proc/self/status") as file:
    (size,) = [int(line.split()[1]) for line in file if line.startswith("VmSize")]
print(kept, asked, size / 1024)
"""


def test_huge_pages_are_asked_for_where_they_come_on_demand(python):
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    on_demand = setting.exists() and "[madvise]" in setting.read_text()
    kept, asked, size = python(HUGE, "free").split()
    assert kept == "True"
    assert asked == str(on_demand)
    assert (float(size) > 4000) == on_demand


def test_where_addresses_are_limited_none_are_reserved(python):
    kept, asked, size = python(HUGE, "limited").split()
    assert (kept, asked) == ("True", "False")
    assert float(size) < 1000
