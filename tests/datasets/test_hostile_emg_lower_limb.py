"""Recordings that someone who means harm has written are read, or refused in one line."""

import hostile
import hostile_targets
import pytest
from hypothesis import given

from tfseq.datasets.emg_lower_limb import parsing, recordings

ROW = "1\t2\t3\t4\t5"


def refusal(folder, text):
    return hostile_targets.lower_limb(folder, text.encode())


@hostile.FEW
@given(data=hostile.recording_files())
def test_a_recording_is_read_or_refused(tmp_path, data):
    hostile_targets.lower_limb(tmp_path, data)


def test_a_count_of_rows_that_no_number_holds_is_passed_over(tmp_path):
    text = "\n".join([f"Channel 1, {'9' * 6000} values", *[ROW, "0\t0\t0\t0\t9"] * 3])
    path = hostile.written(tmp_path, "1Nmar.txt", text.encode())
    assert recordings.read(path).missing_rows == 0


@pytest.mark.parametrize("columns", [4, 7, 100_000])
def test_another_number_of_columns_is_refused_before_they_are_read(columns, tmp_path):
    text = "\n".join(["\t".join("1" * columns)] * 3)
    assert f"line 1: the number of columns is {columns}" in refusal(tmp_path, text)


def test_a_file_much_larger_than_a_recording_is_not_read(tmp_path):
    path = hostile.written(tmp_path, "1Nmar.txt", ROW.encode())
    with path.open("ab") as file:
        file.truncate(2**40)
    assert "is larger than 32 MiB" in hostile.told(lambda: parsing.read_table(path))
