"""Sets larger than memory are read, checked and built in little of it.

The limits are the kernel's: a reader that asks for more address space than that is refused.
"""

import os
import subprocess
import sys
import zipfile

import hostile
import numpy as np
import pytest

GIGA = 2**30
# Sparse: what nothing was written to takes no room on the disk.
LARGE = (1_600_000, 4, 4000)
# The peak since the process began; that of getrusage counts what it was forked from.
PEAK = """
import re, resource, sys
from pathlib import Path
def status(name):
    text = Path("/proc/self/status").read_text()
    return int(re.search(name + r":\\s+(\\d+) kB", text)[1]) >> 10
def peak():
    return status("VmHWM")
def allow(megabytes):
    size = status("VmSize") + megabytes << 20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
"""
READ = """
from tfseq.datasets.record_sets import sources
allow(200)
(each,) = sources.open_sets(Path(sys.argv[1]))
wanted = {0, 1_234_567, each.count - 1}
records = each.records(wanted.__contains__)
found = {index: (float(x.sum()), float(y.sum())) for index, x, y in records}
print(found, peak(), "tensorflow" in sys.modules)
"""
BUILD = """
import tensorflow
from tfseq import datasets
before = peak()
builder = datasets.load("record_sets", manual_dir=sys.argv[1], data_dir=sys.argv[2])
print(builder.info.dataset_size >> 20, peak() - before)
"""
REFUSED = """
import hostile, hostile_targets
read = getattr(hostile_targets, sys.argv[2])
hostile.told(lambda: read(Path("nosuch")))
allow(200)
print(hostile.told(lambda: read(Path(sys.argv[1]))))
"""


def sparse(path, shape, dtype, **records):
    """Writes an .npy file of zeros, except for some records, without their bytes on the disk."""
    with path.open("wb") as file:
        form = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, form)
        start, size = file.tell(), int(np.prod(shape[1:])) * np.dtype(dtype).itemsize
        file.truncate(start + shape[0] * size)
        for index, value in records.items():
            file.seek(start + int(index) * size)
            file.write(np.full(shape[1:], value, dtype).tobytes())


def run(script, *arguments):
    command = [sys.executable, "-c", PEAK + script, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_hundred_gigabytes_are_read_in_200_mebibytes(tmp_path):
    sparse(tmp_path / "set1_x.npy", LARGE, "f4", **{"0": 1, "1234567": 2})
    sparse(tmp_path / "set1_y.npy", LARGE[::2], "f4", **{"1599999": 3})
    assert (tmp_path / "set1_x.npy").stat().st_size > 95 * GIGA
    assert (tmp_path / "set1_x.npy").stat().st_blocks * 512 < GIGA // 8
    found, megabytes, tensorflow = run(READ, tmp_path).rsplit(maxsplit=2)
    expected = {0: (16000.0, 0.0), 1_234_567: (32000.0, 0.0), 1_599_999: (0.0, 12000.0)}
    assert found == str(expected)
    assert int(megabytes) < 200
    assert tensorflow == "False"


def test_a_build_holds_a_part_of_the_records(tmp_path):
    sets = tmp_path / "sets"
    sets.mkdir()
    sparse(sets / "set1_x.npy", (7500, 4, 4000), "f4")
    sparse(sets / "set1_y.npy", (7500, 4000), "f4")
    written, grown = map(int, run(BUILD, sets, tmp_path / "data").split()[-2:])
    assert written >= 570
    assert grown < 300


def bomb(shape):
    """An array of 256 MiB of zeros whose header says that it has a shape."""
    header = hostile.npy(np.empty(0, "f4")).replace(b"(0,)", str(shape).encode())
    return header[:8] + (len(header) - 10).to_bytes(2, "little") + header[10:] + bytes(2**28)


@pytest.mark.parametrize(
    ("target", "file", "array", "shape"),
    [
        ("read_sets", "set1.npz", "x.npy", (1, 1, 2**40)),
        ("read_sets", "set1.npz", "x.npy", (2**40, 1, 4)),
        ("read_weights", "w.npz", "features.0.bias.npy", (2**26,)),
    ],
    ids=["a record too large", "too many records", "a bomb of weights"],
)
def test_an_archive_that_grows_is_refused_in_little_memory(target, file, array, shape, tmp_path):
    entries = [(array, bomb(shape), zipfile.ZIP_DEFLATED), ("y.npy", b"", zipfile.ZIP_STORED)]
    (tmp_path / file).write_bytes(hostile.npz(entries[: 1 + (file == "set1.npz")]))
    assert (tmp_path / file).stat().st_size < 2**20
    message = run(REFUSED, tmp_path, target)
    assert str(tmp_path / file) in message
    assert str(shape[0]) in message or "bytes" in message
