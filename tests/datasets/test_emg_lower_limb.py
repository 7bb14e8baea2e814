"""The data set emg_lower_limb, on files written here and on the published ones where they are."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from emg_lower_limb_files import (
    HEADER,
    STEPS,
    load,
    records,
    rows,
    signals,
    write,
    write_two,
)

import tfseq.datasets
from tfseq import schema
from tfseq.datasets.emg_lower_limb import make_dummy_data, recordings
from tfseq.errors import UserError


@pytest.fixture
def raw(tmp_path):
    return write_two(tmp_path / "raw")


def test_windows_follow_each_other_by_the_stride_and_stay_inside_the_recording(raw):
    assert sorted(records(load(raw))) == ["1Nmar/0"]
    assert sorted(records(load(raw, stride=250))) == ["1Nmar/0", "1Nmar/250", "1Nmar/500"]


def test_a_record_holds_the_muscles_in_file_order_and_the_label_of_the_same_steps(raw):
    record = records(load(raw, stride=250))["1Nmar/250"]
    table = signals(1)
    window = slice(250, 250 + STEPS)
    np.testing.assert_array_equal(record["waveform"], table[window, :4].T.astype(np.float32))
    angle = table[:, 4]
    label = np.clip((angle - np.percentile(angle, 0.5)) / 30, 0, 4)[window]
    np.testing.assert_allclose(record["label"], label, atol=1e-6)


@pytest.mark.parametrize("name", ["1Amar", "8Asen", "9Apie", "3Nmar", "6Nsen", "7Npie", "7Nsen"])
def test_flexion_is_positive_where_the_goniometer_was_mirrored(tmp_path, name):
    table = signals()
    straight = recordings.read(write(tmp_path, "7Nmar", rows(table)))
    table[:, 4] *= -1
    mirrored = recordings.read(write(tmp_path, name, rows(table)))
    np.testing.assert_array_equal(mirrored.label, straight.label)
    assert straight.label.max() == pytest.approx(2.0, abs=0.01)


def test_the_label_ends_at_the_range_of_the_schema():
    angle = np.r_[np.full(100, -500.0), np.zeros(9800), np.full(100, 500.0)]
    label = recordings.knee_label(angle, "1Nmar")
    assert (label.min(), label.max()) == schema.label_range()


def test_a_constant_sixth_column_and_its_header_line_are_dropped(tmp_path):
    six = [f"{row}\t31" for row in rows(signals())]
    header = [*HEADER[:-1], "Digitals combined (event=16, d=8, c=4, b=2, a=1): 9 values, .", ""]
    recording = recordings.read(write(tmp_path, "9Npie", six, header=header))
    np.testing.assert_array_equal(recording.waveform, signals()[:, :4].T.astype(np.float32))


@pytest.mark.parametrize(
    "rest", [["\t\t\t\t7.5"] * 22, ["\t\t\t\t7.5V"], ["0.1\t0\t0\t0\t"], ["0.1\t-"], [""]]
)
def test_rows_cut_short_at_the_end_are_dropped(tmp_path, rest):
    recording = recordings.read(write(tmp_path, "1Nmar", rows(signals()) + rest))
    assert len(recording.label) == len(signals())


def test_repeated_recordings_are_dropped_and_1n_and_2n_are_one_group(raw):
    for name in ("2Nmar", "2Npie", "2Nsen", "3Nmar"):
        write(raw, name, rows(signals(3)))
    groups = {key: record["group"].decode() for key, record in records(load(raw)).items()}
    assert groups == {"1Nmar/0": "1N+2N", "2Nmar/0": "1N+2N", "3Nmar/0": "3N"}


def test_repeated_recordings_are_read_in_the_same_group_if_duplicates_are_allowed(raw, caplog):
    for name in ("1Npie", "2Npie"):
        write(raw, name, rows(signals(3)))
    read = records(load(raw, allow_duplicates=True))
    assert sorted(read) == ["1Nmar/0", "1Npie/0", "2Npie/0"]
    assert read["2Npie/0"]["waveform"].tobytes() == read["1Npie/0"]["waveform"].tobytes()
    assert read["2Npie/0"]["group"] == read["1Npie/0"]["group"] == b"1N+2N"
    assert "Subject 2N (train) lacks 2Nmar.txt, 2Nsen.txt" in caplog.text
    assert sorted(records(load(raw))) == ["1Nmar/0", "1Npie/0"]


def test_standardized_channels_have_mean_0_and_deviation_1_over_the_recording(raw):
    record = records(load(raw, scaling="standardized"))["1Nmar/0"]
    muscles = signals(1)[:, :4]
    expected = ((muscles - muscles.mean(axis=0)) / muscles.std(axis=0))[:STEPS].T
    np.testing.assert_allclose(record["waveform"], expected, atol=1e-5)


def test_listed_configs_are_named_after_their_settings():
    cls = tfseq.datasets.builder_class("emg_lower_limb")
    for config in cls.BUILDER_CONFIGS:
        settings = {key: getattr(config, key) for key in config.settings()}
        assert cls.CONFIG_CLASS.from_settings(None, **settings).name == config.name


def test_missing_subjects_and_files_are_named_in_a_warning_each(raw, caplog):
    load(raw)
    warnings = [record.getMessage() for record in caplog.records]
    assert len([line for line in warnings if "Subject 5N " in line]) == 1
    assert "Subject 3N (train) is left out: it has no files" in warnings
    assert "Subject 1N (train) lacks 1Npie.txt, 1Nsen.txt" in warnings


def test_there_is_a_test_split_only_where_there_are_files_for_it(raw):
    assert set(load(raw).info.splits) == {"train", "validation"}
    write(raw, "5Nmar", rows(signals(count=STEPS - 1)))
    assert set(load(raw).info.splits) == {"train", "validation"}
    write(raw, "9Nmar", rows(signals()))
    assert list(records(load(raw), "test")) == ["9Nmar/0"]


def test_a_recording_shorter_than_a_record_is_left_out_with_a_warning(raw, caplog):
    path = write(raw, "1Npie", rows(signals(count=STEPS - 1)))
    assert list(records(load(raw))) == ["1Nmar/0"]
    assert f"{path} is left out: {STEPS - 1} rows, a record has {STEPS}" in caplog.text


def test_a_file_with_fewer_rows_than_announced_is_read_with_a_warning(raw, caplog):
    header = [line.replace(" 0 values", " 9000 values") for line in HEADER]
    path = write(raw, "1Nmar", rows(signals()), header=header)
    assert list(records(load(raw))) == ["1Nmar/0"]
    assert f"{path}: {9000 - len(signals())} rows fewer than its header" in caplog.text


def test_the_data_set_is_built_again_only_when_a_file_has_changed(raw, caplog):
    load(raw)
    caplog.clear()
    load(raw)
    assert "is left out" not in caplog.text
    write(raw, "1Nmar", rows(signals(9, count=STEPS + 1000)))
    assert sorted(records(load(raw))) == ["1Nmar/0", "1Nmar/1000"]


def test_tfds_builds_and_refuses_the_data_set_by_itself(raw):
    tfseq.datasets.builder_class("emg_lower_limb")
    config = tfds.download.DownloadConfig(manual_dir=raw)
    arguments = {
        "data_dir": raw.parent / "direct",
        "download_and_prepare_kwargs": {"download_config": config},
    }
    built = tfds.load("emg_lower_limb/stride_500", split="train", **arguments)
    assert len(built) == 2
    write(raw, "1Nmar", ["x\t0\t0\t0\t0"])
    with pytest.raises(UserError, match=r"1Nmar\.txt: line 8: found 'x'"):
        tfds.load("emg_lower_limb/stride_2000", split="train", **arguments)


def test_the_dummy_data_are_what_their_script_writes(tmp_path):
    make_dummy_data.write(tmp_path)
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.txt")]
    kept = [p.relative_to(make_dummy_data.FOLDER) for p in make_dummy_data.FOLDER.rglob("*.txt")]
    assert sorted(written) == sorted(kept)
    for path in written:
        assert (tmp_path / path).read_bytes() == (make_dummy_data.FOLDER / path).read_bytes()


PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "emg_lower_limb"
published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason=f"the published recordings are not in {PUBLISHED}"
)


@pytest.fixture(scope="module")
def published_recordings():
    found = recordings.find(PUBLISHED)
    return {split: [recordings.read(p) for p in paths.values()] for split, paths in found.items()}


@published
def test_the_published_recordings_are_read_whole(published_recordings):
    counts = {split: len(read) for split, read in published_recordings.items()}
    assert counts == {"train": 40, "validation": 12}
    every = [recording for read in published_recordings.values() for recording in read]
    assert sum(len(recording.label) for recording in every) == 1_060_368
    assert not any(recording.missing_rows for recording in every)


@published
@pytest.mark.parametrize(
    ("stride", "train", "validation"), [(500, 1239, 492), (1000, 627, 249), (2000, 324, 126)]
)
def test_the_published_recordings_give_as_many_windows_as_counted(
    published_recordings, stride, train, validation
):
    counts = {
        split: sum(len(list(recording.windows(STEPS, stride))) for recording in read)
        for split, read in published_recordings.items()
    }
    assert counts == {"train": train, "validation": validation}


@published
def test_the_labels_of_the_published_recordings_have_the_moments_measured(published_recordings):
    every = [recording.label for read in published_recordings.values() for recording in read]
    label = np.concatenate(every).astype(np.float64)
    assert label.mean() == pytest.approx(1.1580, abs=1e-4)
    assert label.var() == pytest.approx(1.2449, abs=1e-4)
    assert np.square(label).mean() == pytest.approx(2.5857, abs=1e-4)


@published
def test_published_records_keep_to_the_schema_and_groups_to_one_split(tmp_path):
    builder = tfseq.datasets.load("emg_lower_limb", data_dir=tmp_path, manual_dir=PUBLISHED)
    low, high = schema.label_range()
    groups = {}
    for split in builder.info.splits:
        for record in tfds.as_numpy(builder.as_dataset(split=split)):
            assert record["waveform"].shape == schema.waveform_shape()
            assert np.isfinite(record["waveform"]).all()
            assert low <= record["label"].min() <= record["label"].max() <= high
            groups.setdefault(record["group"], set()).add(split)
    assert len(groups) == 17
    assert all(len(splits) == 1 for splits in groups.values())
