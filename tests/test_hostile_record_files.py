"""Waveforms that someone who means harm has written are labelled, or refused in one line."""

import os

import command
import hostile
import hostile_targets
import numpy as np
import pytest
from hypothesis import given

from tfseq import record_files
from tfseq.errors import UserError


@hostile.FEW
@given(data=hostile.npy_files())
def test_a_file_of_waveforms_is_read_or_refused(tmp_path, data):
    hostile_targets.waveforms(tmp_path, data)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(kind, tmp_path):
    path = tmp_path / "x.npy"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
    done = command.run(
        "predict", "--saved_model=nosuch", "--input=x.npy", "--output=y.npy", cwd=tmp_path
    )
    assert "--input: x.npy is not a readable .npy file" in done.refusal()


@pytest.mark.parametrize("order", "CF")
def test_a_file_that_is_cut_while_it_is_read_is_refused(order, tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.asarray(np.ones((1300, 4, 4000), "f4"), order=order))
    batches = record_files.Waveforms(path).batches(2)
    next(batches)
    os.truncate(path, 4096)
    with pytest.raises(UserError, match="is cut short"):
        for _ in batches:
            pass


def test_labels_that_the_disk_has_no_room_for_are_told_and_not_left(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 4, 8)))
    (tmp_path / ".y.npy").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        record_files.label_records(
            lambda batch: batch[:, 0],
            record_files.Waveforms(tmp_path / "x.npy"),
            target=tmp_path / "y.npy",
            batch_size=2,
        )
    assert {each.name for each in tmp_path.iterdir()} == {"x.npy"}


def test_what_stands_in_a_name_cannot_reach_the_terminal(tmp_path):
    name = "x\x1b[2J\n.npy"
    done = command.run(
        "predict", "--saved_model=nosuch", f"--input={name}", "--output=y.npy", cwd=tmp_path
    )
    assert "x\\x1b[2J .npy" in done.refusal()


def test_a_name_that_is_no_text_is_refused(tmp_path):
    name = os.fsdecode(b"x\xff.npy")
    done = command.run(
        "predict", "--saved_model=nosuch", f"--input={name}", "--output=y.npy", cwd=tmp_path
    )
    assert "--input=x\\udcff.npy': expected text in UTF-8" in done.refusal()
