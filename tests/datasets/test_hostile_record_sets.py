"""Sets that someone who means harm has written are read, or refused in one line."""

import os

import hostile
import hostile_targets
import numpy as np
import pytest
from hypothesis import given


def refusal(folder):
    return hostile.told(lambda: hostile_targets.read_sets(folder))


@hostile.FEW
@given(data=hostile.npy_files())
def test_a_pair_of_npy_files_is_read_or_refused(tmp_path, data):
    hostile_targets.npy_sets(tmp_path, data)


@hostile.FEW
@given(data=hostile.npz_files())
def test_an_npz_file_is_read_or_refused(tmp_path, data):
    hostile_targets.npz_sets(tmp_path, data)


def entries(**changes):
    arrays = {"x.npy": hostile.npy(hostile.waveforms()), "y.npy": hostile.npy(hostile.labels())}
    return [(name, data, changes.get("compression", 0)) for name, data in arrays.items()]


@pytest.mark.parametrize("compression", hostile.COMPRESSIONS[2:])
def test_compression_that_numpy_does_not_use_is_refused(compression, tmp_path):
    data = hostile.npz(entries(compression=compression))
    assert "compressed as numpy does not" in hostile_targets.npz_sets(tmp_path, data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_that_is_there_twice_is_refused(tmp_path):
    assert "there are several arrays x" in hostile_targets.npz_sets(
        tmp_path, hostile.npz([*entries(), entries()[0]])
    )


@pytest.mark.parametrize("name", ["../x.npy", "/x.npy", "..\\x.npy"])
def test_a_name_that_leads_out_of_the_folder_is_no_array(name, tmp_path):
    data = hostile.npz([(name, *entries()[0][1:]), entries()[1]])
    assert "there is no array x; it has" in hostile_targets.npz_sets(tmp_path, data)
    assert not list(tmp_path.rglob("*.npy"))


def test_a_name_cannot_write_to_the_terminal(tmp_path):
    message = hostile_targets.npz_sets(tmp_path, hostile.npz([("\x1b[2J\n.npy", b"", 0)]))
    assert message.isprintable()


def test_a_name_without_end_is_cut(tmp_path):
    message = hostile_targets.npz_sets(tmp_path, hostile.with_a_long_name(hostile.npz(entries())))
    assert "File name in directory" in message
    assert len(message) < 800


def test_objects_in_an_array_are_not_unpickled(tmp_path):
    made = tmp_path / "made"

    class Marker:
        def __reduce__(self):
            return os.mkdir, (str(made),)

    data = hostile.npy(np.array([Marker()] * 12, object))
    assert "is of type object" in hostile_targets.npy_sets(tmp_path, data)[0]
    assert "is of type object" in hostile_targets.npz_sets(
        tmp_path, hostile.npz([("x.npy", data, 0), *entries()[1:]])
    )
    assert not made.exists()


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "dangling link"])
def test_what_is_no_regular_file_is_no_set(kind, tmp_path):
    path = tmp_path / "set1.npz"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "dangling link":
            path.symlink_to(tmp_path / "nosuch")
    assert "there is no set" in refusal(tmp_path)


def test_a_name_that_is_no_text_is_passed_over(tmp_path):
    (tmp_path / os.fsdecode(b"set1\xff.npz")).write_bytes(b"")
    assert "there is no set" in refusal(tmp_path)


def test_a_record_larger_than_any_is_refused_by_its_header(tmp_path):
    path = tmp_path / "set1_x.npy"
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (2, 1, 2**32)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 2 * 2**34)
    np.save(tmp_path / "set1_y.npy", np.zeros((2, 4)))
    assert "17179869184 bytes; expected at most" in refusal(tmp_path)
