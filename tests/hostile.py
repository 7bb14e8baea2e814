"""Files as someone who means harm would write them, and what must come of reading them.

Every target begins with valid files and changes them, or puts a file together from parts that are
each nearly right. The tests draw a few of them, tests/faults thousands.
"""

import io
import itertools
import json
import zipfile

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tfseq.errors import UserError

FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""The settings of the ordinary tests: the same few inputs at every run."""

_numbers = itertools.count()

SHAPES = ["(12, 2, 8)", "(12, 8)", "(1000000000000, 2, 8)", "(12, 1000000000000, 8)", "()", "(12,)"]
SHAPES += ["(-1, 2, 8)", "(True, 2, 8)", "(0, 2, 8)", "(12, 2, 8.0)", "12", "[12, 2, 8]", "(2,)*9"]
SHAPES += [
    "(" * 300,
    "-" * 9000 + "1",
    "((12,), 2, 8)",
    f"({'9' * 5000}, 2, 8)",
    "(12, 2, 1 << 60)",
]
TYPES = ["'<f4'", "'<f8'", "'>f4'", "'<i8'", "'|O'", "'|b1'", "'<c8'", "'|S4'", "'|V8'", "'<U9'"]
TYPES += ["'<M8[s]'", "'<f16'", "'f4'", "''", "None", "()", "[]", "('<f4', (2,))", "{[]: 1}"]
TYPES += ["[('a', '<f4')]", "[('a', '|O')]", "'<f4,<f4'", "'(99999999,)f4'", "'<f0'", "b'<f4'"]


def npy(array):
    """Returns the bytes of an .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=array.dtype.hasobject)
    return stream.getvalue()


def waveforms():
    return np.arange(12 * 2 * 8, dtype=np.float32).reshape(12, 2, 8)


def labels():
    return np.linspace(0, 4, 12 * 8).reshape(12, 8)


def told(read):
    """Calls a reader; returns the one line with which it refuses, or None.

    Every other exception is a finding.
    """
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            read()
    except UserError as error:
        message = str(error)
        assert message.strip()
        assert len(message.splitlines()) == 1, message
        assert len(message) < 4000, len(message)
        return message
    return None


def written(folder, name, data):
    """Returns the path of a new file: readers may keep what they know of a path."""
    path = folder / str(next(_numbers)) / name
    path.parent.mkdir()
    path.write_bytes(data)
    return path


@st.composite
def changed(draw, whole):
    """The bytes of a valid file with one to four changes, most of them where headers are."""
    data = bytearray(draw(st.sampled_from(whole)) if isinstance(whole, list) else whole)
    for _ in range(draw(st.integers(1, 4))):
        size = len(data)
        if not size:
            break
        near = st.integers(0, min(200, size - 1)) | st.integers(max(0, size - 300), size - 1)
        at = draw(near | st.integers(0, size - 1))
        length = draw(st.integers(1, 40))
        match draw(st.sampled_from(["flip", "byte", "cut", "drop", "repeat", "insert"])):
            case "flip":
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "byte":
                data[at] = draw(st.sampled_from([0, 10, 39, 40, 48, 57, 127, 255]))
            case "cut":
                del data[at:]
            case "drop":
                del data[at : at + length]
            case "repeat":
                data[at:at] = data[at : at + length]
            case "insert":
                data[at:at] = draw(st.sampled_from([b"\xff" * 8, b"9" * 20, b"(" * 9, b"\0" * 4]))
    return bytes(data)


@st.composite
def npy_files(draw):
    """An .npy file whose header is put together, or a valid one with changes."""
    whole = [npy(waveforms()), npy(labels()), npy(np.asfortranarray(waveforms().astype(">i2")))]
    if draw(st.booleans()):
        return draw(changed(whole))
    order = draw(st.sampled_from(["False", "True", "0", "None"]))
    header = (
        f"{{'descr': {draw(st.sampled_from(TYPES))}, 'fortran_order': {order}, "
        f"'shape': {draw(st.sampled_from(SHAPES))}, }}"
    ).encode()
    version = draw(st.sampled_from([1, 2, 3, 9]))
    size = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + bytes(draw(st.integers(0, 900)))


ENTRY_NAMES = ["x.npy", "y.npy", "../x.npy", "/tmp/x.npy", "x", "y", "x.npy\n", "\x1b[2J.npy"]
ENTRY_NAMES += ["..\\x.npy", "x.npy/", "é.npy", ""]
COMPRESSIONS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def npz(entries):
    """Returns the bytes of an archive of (name, bytes, compression)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data, compression in entries:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = compression
            archive.writestr(entry, data)
    return stream.getvalue()


def with_a_long_name(archive):
    """Returns an archive whose first entry has, where it lies, a name of 5000 characters."""
    data = bytearray(archive + bytes(5000))
    data[26:28] = (5000).to_bytes(2, "little")
    # The end of an archive may be followed by a comment, as long as it says.
    data[len(archive) - 2 : len(archive)] = (5000).to_bytes(2, "little")
    return bytes(data)


@st.composite
def npz_files(draw):
    """An archive with x and y that are valid or nearly so, other entries, and changes."""
    array = npy_files() | st.sampled_from([npy(waveforms()), npy(labels())])
    entries = st.tuples(st.sampled_from(ENTRY_NAMES), array, st.sampled_from(COMPRESSIONS))
    found = draw(st.lists(entries, max_size=4))
    if draw(st.booleans()):
        stored = draw(st.sampled_from(COMPRESSIONS[:2]))
        found = [("x.npy", npy(waveforms()), stored), ("y.npy", npy(labels()), stored), *found]
    data = npz(found)
    return draw(changed(data)) if draw(st.booleans()) else data


FIELDS = ["0.1", "-3e-4", "1e39", "nan", "inf", "", "x", "7.5V", "1_0", "+", "9" * 400, "0x1", "\r"]
HEADERS = ["File Name: x.log", "Channel 1: 'M', 0 values, mV", f"C, {'9' * 6000} values", "\ufeff"]


@st.composite
def recording_files(draw):
    """A text of five columns, with lines that are not, or a valid one with changes."""
    rows = ["\t".join(f"{(i * k) % 7}.5" for k in range(1, 6)) for i in range(60)]
    whole = "\r\n".join([*HEADERS[:2], "", *rows, "\t\t\t\t", ""]).encode()
    if draw(st.booleans()):
        return draw(changed(whole))
    line = st.lists(st.sampled_from(FIELDS), max_size=7).map("\t".join)
    count = draw(st.integers(0, 60))
    lines = draw(st.lists(st.sampled_from(HEADERS), max_size=3)) + rows[:count]
    lines += draw(st.lists(line | st.sampled_from(["\t" * 5000, "\x1b[2J", "é\t" * 5]), max_size=5))
    return draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines).encode()


def settings_texts(names):
    """JSON of settings, with values of every kind, names that are not there, and changes.

    Args:
        names: Settings that there are.
    """
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    scalars |= st.sampled_from([10**400, -(10**30), 1e308, "../../x", "\ud800", "x" * 5000, "\n"])
    keys = st.sampled_from([*names, "name", "", "__class__", "a.b", "\x1b[2J", "k" * 5000])
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner)
    )
    groups = st.dictionaries(keys, values, max_size=4)
    model = groups.map(lambda group: {"name": "cnn"} | group)
    good = st.tuples(groups, model | st.just({"name": "cnn"})).map(lambda p: p[0] | {"model": p[1]})
    text = (good | values).map(lambda value: json.dumps(value).encode())
    deep = st.integers(1, 5000).map(
        lambda depth: b'{"model": {"name": "cnn"}, "epochs": ' + b"[" * depth + b"]" * depth + b"}"
    )
    whole = json.dumps({"model": {"name": "cnn", "dropout": 0.1}, "epochs": 3}).encode()
    return text | deep | changed(whole) | st.binary(max_size=40)
