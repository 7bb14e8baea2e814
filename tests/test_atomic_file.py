"""A file is written whole or not at all."""

import resource

import pytest

from tfseq import atomic_file, history


def test_text_and_bytes_are_written_with_their_folder(tmp_path):
    for content in ("ä\n", b"\x00"):
        atomic_file.write(tmp_path / "folder" / "file", content)
        read = (tmp_path / "folder" / "file").read_bytes()
        assert read == (content.encode() if isinstance(content, str) else content)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]


def test_what_finds_no_room_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    atomic_file.write(path, "before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match=f"too large: '{path}'"):
            atomic_file.write(path, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        ("epoch,loss\n0,1.5\n1,1.4\n2,1.3\n", "epoch,loss\n0,1.5\n1,1.4\n"),
        ("epoch,loss\n0,1.5\n1", "epoch,loss\n0,1.5\n"),
        ("epoch,loss\n", "epoch,loss\n"),
        ("epoch,lo", ""),
        ("", ""),
    ],
)
def test_a_history_loses_the_epochs_that_were_not_saved_and_rows_cut_short(tmp_path, left, kept):
    path = tmp_path / "history.csv"
    path.write_text(left)
    history.cut(path, 2)
    assert path.read_text() == kept
