"""What emg_lower_limb refuses: one line that names file or flag, and no data set left behind."""

import shutil

import pytest
from emg_lower_limb_files import (
    FIRST_ROW,
    HEADER,
    STEPS,
    load,
    refusal,
    rows,
    signals,
    write,
    write_two,
)

import tfseq.datasets
from tfseq.errors import UserError


@pytest.fixture
def raw(tmp_path):
    return write_two(tmp_path / "raw")


def test_a_channel_that_does_not_vary_cannot_be_standardized(raw):
    table = signals()
    table[:, 2] = 0.5
    write(raw, "1Nmar", rows(table))
    message = refusal(raw, scaling="standardized")
    assert "--config.dataset.scaling" in message
    assert "VM of recording 1Nmar" in message
    assert set(load(raw).info.splits) == {"train", "validation"}


@pytest.mark.parametrize(
    "settings",
    [
        *({"stride": stride} for stride in (0, "500", 1.5, True)),
        {"scaling": "max"},
        {"allow_duplicates": "yes"},
        {"allow_duplicates": 1},
    ],
)
def test_other_settings_are_refused_by_their_flag(raw, settings):
    assert f"--config.dataset.{next(iter(settings))}: expected" in refusal(raw, **settings)


def test_a_split_of_short_recordings_alone_is_refused(raw):
    write(raw, "8Nmar", rows(signals(count=10)))
    assert "no recording for validation" in refusal(raw)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("0\t0\tx1\t0\t10", "found 'x1'"),
        ("0\t0\t\t0\t10", "found nothing in a column"),
        ("nan\t0\t0\t0\t10", "found 'nan'"),
        ("0\t0\t0\t0\tinf", "found 'inf'"),
        ("0\t0\t0\t1e39\t0", "found '1e39'"),
        ("0\t0\t0\t10", "number of columns is 4"),
        ("0\t0\t0\t0\t10\t31", "number of columns is 6"),
        ("0,0,0,0,10", "number of columns is 1"),
        ("0\t0\t0\t0\r1\t10", "found '0\\r1'"),
        ("0\t0\t\xe9\t0\t10", "found '\xe9'"),
        ("0\t0\t0\0\t0\t10", "byte 0x00 is not text"),
    ],
)
@pytest.mark.parametrize("index", [0, STEPS])
def test_a_damaged_row_is_refused_by_file_and_line(raw, row, found, index):
    lines = rows(signals())
    lines[index] = row
    path = write(raw, "1Nmar", lines)
    message = refusal(raw)
    assert message.startswith(f"{path}: line {FIRST_ROW + index}: ")
    assert found in message
    assert "expected rows" in message


@pytest.mark.parametrize(
    ("row", "index"), [("", 9), ("0\t0\t0\t0\tx", STEPS + 499), ("\t\t\t\t7.5", 9)]
)
def test_a_row_that_is_no_rest_is_refused_by_file_and_line(raw, row, index):
    lines = rows(signals())
    lines[index] = row
    path = write(raw, "1Nmar", lines)
    assert refusal(raw).startswith(f"{path}: line {FIRST_ROW + index}: ")


def test_a_sixth_column_that_changes_is_refused_by_file_and_line(raw):
    six = [f"{row}\t31" for row in rows(signals())]
    six[5] = six[5].replace("\t31", "\t30")
    path = write(raw, "1Nmar", six)
    assert refusal(raw).startswith(f"{path}: line {FIRST_ROW + 5}: the sixth column")


def test_a_channel_lost_before_the_end_is_refused_by_file_and_line(raw):
    lines = rows(signals())
    lines[-200:] = [line.rpartition("\t")[0] + "\t" for line in lines[-200:]]
    path = write(raw, "1Nmar", lines)
    line = FIRST_ROW + len(lines) - 200
    assert refusal(raw).startswith(f"{path}: line {line}: a value is missing")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "holds no row of numbers"),
        ("\r\n".join(HEADER).encode(), "holds no row of numbers"),
        (b"File Name: x\r\n\xff\xfe\x80", "line 2: byte 0xff is not text"),
        ("\r\n".join([*HEADER, "0\t0\t0\t0\t"]).encode(), f"line {FIRST_ROW}: no row is complete"),
        ("0\t0\t0\t0\t1\n".encode("utf-16"), "line 1: byte 0xff is not text"),
    ],
)
def test_a_file_without_rows_is_refused(raw, content, found):
    path = write(raw, "1Nmar", [])
    path.write_bytes(content)
    message = refusal(raw)
    assert message.startswith(f"{path}: ")
    assert found in message


def test_a_folder_without_the_data_set_is_refused_by_the_flag(raw):
    expected = "SEMG_DB1/ with N_TXT/ and A_TXT/"
    for folder, hint in (
        (raw.parent, f"no SEMG_DB1 in {raw.parent};"),
        (raw / "SEMG_DB1", "this seems to be SEMG_DB1 itself: give the folder above it"),
    ):
        with pytest.raises(UserError, match="--manual_dir") as refused:
            tfseq.datasets.load("emg_lower_limb", data_dir=raw / "tfds", manual_dir=folder)
        assert expected in str(refused.value)
        assert hint in str(refused.value)
    with pytest.raises(UserError, match=r"--manual_dir: .*SEMG_DB1/ with N_TXT/"):
        tfseq.datasets.load("emg_lower_limb", data_dir=raw / "tfds")


@pytest.mark.parametrize(
    ("lost", "found"),
    [("1N", "holds no recording for train"), ("8N", "validation; expected 4Nmar.txt")],
)
def test_a_data_set_without_train_or_validation_is_refused(raw, lost, found):
    (raw / "SEMG_DB1" / "N_TXT" / f"{lost}mar.txt").unlink()
    message = refusal(raw)
    assert message.startswith("--manual_dir: ")
    assert found in message


def test_a_data_set_without_any_recording_is_refused(raw):
    shutil.rmtree(raw / "SEMG_DB1" / "N_TXT")
    (raw / "SEMG_DB1" / "A_TXT").mkdir()
    assert "SEMG_DB1 holds no recording; expected the folder" in refusal(raw)
