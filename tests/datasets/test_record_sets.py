"""Numbered sets become a data set; test_record_sets_refusals.py has those that do not."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfseq import datasets
from tfseq.datasets.record_sets import (
    make_dummy_data,
    record_sets_dataset_builder,
    sources,
    splits,
)
from tfseq.errors import UserError

FOLDER = Path(record_sets_dataset_builder.__file__).parent
SIZE = {"channels": 2, "steps": 8}


def example(records=30, channels=2, steps=8, seed=0):
    random = np.random.default_rng(seed)
    x = random.integers(-50, 50, (records, channels, steps)) / 4
    return x, random.integers(0, 9, (records, steps)) / 2


def save_pair(folder, number, x, y):
    np.save(folder / f"set{number}_x.npy", x)
    np.save(folder / f"set{number}_y.npy", y)


FORMS = {
    "stored npz": lambda folder, x, y: np.savez(folder / "set1.npz", x=x, y=y),
    "compressed npz": lambda folder, x, y: np.savez_compressed(folder / "set1.npz", y=y, x=x),
    "npz with more arrays": lambda folder, x, y: np.savez(folder / "set1.npz", a=y, x=x, y=y),
    "npy pair": lambda folder, x, y: save_pair(folder, 1, x, y),
    "npy pair in Fortran order": lambda folder, x, y: save_pair(
        folder, 1, np.asfortranarray(x), np.asfortranarray(y)
    ),
    "npy pair with a leading zero": lambda folder, x, y: save_pair(folder, "01", x, y),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my_sets").mkdir()
    return tmp_path / "my_sets"


@pytest.fixture
def load(tmp_path, folder):
    def load_record_sets(**settings):
        return datasets.load(
            "record_sets", data_dir=tmp_path / "data", manual_dir=folder, **settings
        )

    return load_record_sets


def splits_of(builder):
    return {
        split: {
            record["record_id"].decode(): record
            for record in tfds.as_numpy(builder.as_dataset(split=split))
        }
        for split in builder.info.splits
    }


def records_of(builder):
    return {key: record for split in splits_of(builder).values() for key, record in split.items()}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_records(form, folder, load):
    x, y = example()
    FORMS[form](folder, x, y)
    records = records_of(load())
    assert set(records) == {f"set1/{index}" for index in range(30)}
    for index in range(30):
        record = records[f"set1/{index}"]
        np.testing.assert_array_equal(record["waveform"], x[index])
        np.testing.assert_array_equal(record["label"], y[index])
        assert record["group"] == record["record_id"]


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4", "g", "i1", "u2", ">i8"])
@pytest.mark.parametrize("form", ["compressed npz", "npy pair"])
def test_every_number_type_is_stored_as_float32(dtype, form, folder, load):
    x, y = (array.astype(dtype) for array in example())
    FORMS[form](folder, x, y)
    record = records_of(load())["set1/5"]
    assert record["waveform"].dtype == record["label"].dtype == np.float32
    np.testing.assert_array_equal(record["waveform"], x[5].astype(np.float32))
    np.testing.assert_array_equal(record["label"], y[5].astype(np.float32))


def test_records_stay_in_their_split_when_a_set_is_added(folder, load):
    save_pair(folder, 4, *example())
    before = splits_of(load())
    save_pair(folder, 1, *example(seed=1))
    after = splits_of(load())
    for split, records in before.items():
        assert records.keys() == {key for key in after[split] if key.startswith("set4/")}


def test_splits_share_no_record_and_follow_a_fixed_hash():
    split_of = splits.split_of
    assert [split_of(2, index) for index in (0, 1, 5)] == ["train", "test", "validation"]
    assert split_of(4, 2199) == "test"
    counts = Counter(split_of(4, index) for index in range(10_000))
    assert counts["train"] == pytest.approx(8000, abs=150)
    assert counts["validation"] == pytest.approx(1000, abs=100)


@pytest.mark.parametrize(
    ("count", "sizes"), [(2, (1, 1, 0)), (3, (1, 1, 1)), (5, (3, 1, 1)), (30, (24, 3, 3))]
)
def test_a_set_that_is_a_group_is_in_one_split(count, sizes, folder, load):
    for number in range(1, count + 1):
        save_pair(folder, number, *example(records=3, seed=number))
    found = splits_of(load(group_by="set"))
    sets = {split: {key.split("/")[0] for key in records} for split, records in found.items()}
    expected = dict(zip(splits.SPLITS, sizes, strict=True))
    assert {split: len(names) for split, names in sets.items()} == {
        split: size for split, size in expected.items() if size
    }
    assert sum(map(len, sets.values())) == len(set().union(*sets.values())) == count
    for records in found.values():
        for key, record in records.items():
            assert record["group"].decode() == key.split("/")[0]


def test_there_is_no_test_split_if_no_record_falls_to_it(folder, load):
    save_pair(folder, 1, *example(records=6))
    assert set(load().info.splits) == {"train", "validation"}


@pytest.mark.parametrize("sets", [4, (4,), [4, 4]])
def test_chosen_sets_alone_are_read(sets, folder, load):
    (folder / "set1.npz").write_bytes(b"broken")
    save_pair(folder, 4, *example())
    builder = load(sets=sets)
    assert builder.builder_config.name == "sets_4-channels_2-steps_8"
    assert {key.split("/")[0] for key in records_of(builder)} == {"set4"}


def test_a_set_of_many_sets_has_a_name_that_a_folder_can_have(folder, load):
    for number in range(100, 190):
        save_pair(folder, number, *example(records=2))
    many, fewer = load(sets=tuple(range(100, 190))), load(sets=tuple(range(100, 189)))
    assert many.builder_config.name != fewer.builder_config.name
    assert {key.split("/")[0] for key in records_of(many)} >= {"set100", "set189"}


def test_the_order_in_which_sets_are_named_does_not_matter():
    names = {
        record_sets_dataset_builder.RecordSetsConfig.from_settings(None, sets=sets).name
        for sets in [(4, 1), [1, 4], (1, 4, 4)]
    }
    assert names == {"sets_1_4"}


@pytest.mark.parametrize(
    ("label", "settings"),
    [
        (-1.0, {"label_range": (-1, 4)}),
        (9.0, {"allow_out_of_range": True}),
        (np.nan, {"allow_nonfinite": True}),
        (1e300, {"allow_nonfinite": True, "label_range": [0, float("inf")]}),
    ],
)
def test_settings_let_labels_through(label, settings, folder, load):
    x, y = example()
    y[7, 3] = label
    save_pair(folder, 1, x, y)
    with pytest.raises(UserError):
        load()
    with np.errstate(over="ignore"):
        expected = np.float32(label)
    np.testing.assert_array_equal(records_of(load(**settings))["set1/7"]["label"][3], expected)


def test_the_size_is_that_of_the_first_set(folder, load):
    save_pair(folder, 3, *example(channels=3, steps=1000))
    builder = load()
    assert builder.info.features["waveform"].shape == (3, 1000)
    assert builder.info.features["label"].shape == (1000,)


def test_what_is_built_can_be_read_without_the_files(folder, load, tmp_path):
    save_pair(folder, 1, *example())
    built = load()
    again = datasets.load("record_sets", data_dir=tmp_path / "data", **SIZE)
    assert again.data_dir == built.data_dir
    assert again.info.splits["train"].num_examples == built.info.splits["train"].num_examples


def test_a_changed_file_is_read_again(folder, load):
    x, y = example()
    save_pair(folder, 1, x, y)
    load()
    save_pair(folder, 1, np.vstack([x + 1, x]), np.vstack([y, y]))
    records = records_of(load())
    assert len(records) == 60
    np.testing.assert_array_equal(records["set1/0"]["waveform"], x[0] + 1)


def test_tfds_itself_builds_sets_of_the_schema_size(tmp_path):
    config = tfds.download.DownloadConfig(manual_dir=make_dummy_data.FOLDER)
    data = tfds.load(
        "record_sets", data_dir=tmp_path, download_and_prepare_kwargs={"download_config": config}
    )
    assert {split: len(records) for split, records in data.items()} == {
        "train": 7,
        "validation": 2,
        "test": 1,
    }


def test_the_dummy_sets_are_those_that_the_script_writes(folder):
    make_dummy_data.write(folder)
    kept, made = (sources.open_sets(path) for path in (make_dummy_data.FOLDER, folder))
    for a, b in zip(kept, made, strict=True):
        assert a.x.dtype == b.x.dtype
        for ours, theirs in zip(a.records(bool), b.records(bool), strict=True):
            np.testing.assert_array_equal(ours[1], theirs[1])
            np.testing.assert_array_equal(ours[2], theirs[2])


def test_the_example_in_the_readme_writes_a_set(folder, load, monkeypatch):
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(folder.parent)
    exec(re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1], {})
    builder = load(allow_out_of_range=False)
    assert builder.builder_config.name == "default"
    assert set(builder.info.splits) == {"train", "validation", "test"}


READ_ALL = """
import sys, pathlib, psutil
from tfseq.datasets.record_sets import sources
process = psutil.Process()
start, peak, count = process.memory_info().rss, 0, 0
for each in sources.open_sets(pathlib.Path(sys.argv[1])):
    for index, waveform, label in each.records(lambda index: index % 10):
        count += 1
        if index % 100 == 1:
            peak = max(peak, process.memory_info().rss)
print(count, (peak - start) >> 20, "tensorflow" in sys.modules)
"""


def test_memory_does_not_grow_with_the_sets(folder):
    x = np.lib.format.open_memmap(folder / "set1_x.npy", "w+", np.float32, (10_000, 4, 4000))
    y = np.lib.format.open_memmap(folder / "set1_y.npy", "w+", np.float32, (10_000, 4000))
    np.savez_compressed(folder / "set2.npz", x=x[:3000], y=y[:3000])
    command = [sys.executable, "-c", READ_ALL, str(folder)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(answer[0]) == 13_000 * 9 // 10
    assert int(answer[1]) < 200, "MiB, of 800 in the .npy files and 240 in the .npz file"
    assert answer[2] == "False"
