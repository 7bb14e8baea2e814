"""`datasets.load` builds what is missing, keeps what is there, and says what it cannot do."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfseq import datasets
from tfseq.errors import UserError

TINY = {"train_records": 2, "validation_records": 1, "test_records": 1}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "my_sets"
    path.mkdir()
    return path


def write_set(folder, value):
    y = np.full((30, 8), value, np.float32)
    np.savez(folder / "set1.npz", x=np.zeros((30, 2, 8), np.float32), y=y)


def load_sets(folder, **settings):
    return datasets.load(
        "record_sets", data_dir=folder.parent / "data", manual_dir=folder, **settings
    )


def files(folder):
    return {
        path.relative_to(folder): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def labels(builder):
    records = tfds.as_numpy(builder.as_dataset(split="train"))
    return {float(value) for record in records for value in record["label"]}


def refusal(name, **arguments):
    with pytest.raises(UserError) as refused:
        datasets.load(name, **arguments)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_the_registry_names_the_data_sets_in_alphabetical_order():
    assert datasets.names() == ("emg_lower_limb", "record_sets", "simulated_emg")


def test_a_data_set_that_is_not_there_is_refused_by_naming_those_that_are(tmp_path):
    message = refusal("mnist", data_dir=tmp_path)
    assert message.startswith("--dataset: there is no data set 'mnist'")
    assert "emg_lower_limb, record_sets, simulated_emg" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", datasets.names())
def test_a_setting_that_is_not_there_is_refused_by_naming_those_that_are(name, tmp_path):
    message = refusal(name, data_dir=tmp_path, colour="red")
    assert message.startswith(f"--config.dataset.colour: {name} has no such setting")
    for setting in datasets.builder_class(name).CONFIG_CLASS.settings():
        assert setting in message.partition("it has")[2]
    assert not list(tmp_path.iterdir())


def test_the_setting_of_another_data_set_is_refused_unless_it_is_unset(tmp_path):
    assert "--config.dataset.stride" in refusal("simulated_emg", data_dir=tmp_path, stride=500)
    built = datasets.load("simulated_emg", data_dir=tmp_path, stride=None, seed=None, **TINY)
    assert built.info.splits["train"].num_examples == 2


@pytest.mark.parametrize("name", datasets.names())
def test_a_folder_that_is_not_there_is_refused_by_its_flag(name, tmp_path):
    message = refusal(name, data_dir=tmp_path, manual_dir=tmp_path / "nowhere")
    assert message.startswith(f"--manual_dir: there is no folder {tmp_path / 'nowhere'}")
    expected = datasets.builder_class(name).EXPECTS
    assert (expected or "needs none") in message
    (tmp_path / "file").write_text("")
    assert "--manual_dir: there is no folder" in refusal(name, manual_dir=tmp_path / "file")


@pytest.mark.parametrize("name", ["emg_lower_limb", "record_sets"])
def test_files_that_are_needed_and_not_named_are_asked_for(name, tmp_path):
    message = refusal(name, data_dir=tmp_path)
    assert message.startswith("--manual_dir: ")
    assert datasets.builder_class(name).EXPECTS in message


def test_a_second_load_builds_nothing(tmp_path, capsys):
    first = datasets.load("simulated_emg", data_dir=tmp_path, **TINY)
    assert "Building data set" in capsys.readouterr().out
    before = files(tmp_path)
    assert len(before) > 3
    second = datasets.load("simulated_emg", data_dir=tmp_path, **TINY)
    assert files(tmp_path) == before
    assert capsys.readouterr().out == ""
    assert second.data_dir == first.data_dir
    assert len(list(tfds.as_numpy(second.as_dataset(split="train")))) == 2


def test_a_second_load_of_the_same_files_builds_nothing(folder):
    write_set(folder, 1)
    load_sets(folder)
    before = files(folder.parent / "data")
    load_sets(folder)
    assert files(folder.parent / "data") == before


def test_changed_files_are_built_again_and_the_old_data_set_is_gone(folder, capsys):
    write_set(folder, 1)
    first = load_sets(folder)
    assert labels(first) == {1}
    before = files(folder.parent / "data")
    write_set(folder, 2)
    capsys.readouterr()
    second = load_sets(folder)
    assert "are not those that" in capsys.readouterr().out
    assert labels(second) == {2}
    assert second.data_dir == first.data_dir
    assert files(folder.parent / "data").keys() == before.keys()


@pytest.mark.parametrize("damage", ["cut", "label out of range"])
def test_a_failing_rebuild_keeps_the_old_data_set(damage, folder):
    data_dir = folder.parent / "data"
    write_set(folder, 1)
    data_set = Path(load_sets(folder).data_dir)
    kept, around = files(data_set), files(data_dir).keys()
    write_set(folder, 9)
    if damage == "cut":
        path = folder / "set1.npz"
        path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UserError, match=r"set1\.npz"):
        load_sets(folder)
    assert files(data_set) == kept
    assert files(data_dir).keys() == around
    assert labels(datasets.load("record_sets", data_dir=data_dir, channels=2, steps=8)) == {1}


def test_what_a_killed_rebuild_has_set_aside_is_gone_after_the_next(folder):
    write_set(folder, 1)
    data_set = Path(load_sets(folder).data_dir)
    before = files(folder.parent / "data").keys()
    # So a kill leaves it: the old data set aside, and no new one.
    data_set.rename(data_set.with_name(f".{data_set.name}.replaced"))
    write_set(folder, 2)
    assert labels(load_sets(folder)) == {2}
    assert files(folder.parent / "data").keys() == before


def test_a_failing_first_build_leaves_no_data_set(folder):
    write_set(folder, 9)
    with pytest.raises(UserError, match=r"set1\.npz: record 0: .* 9 "):
        load_sets(folder)
    built = files(folder.parent / "data") if (folder.parent / "data").exists() else {}
    assert not [path for path in built if "tfrecord" in path.name or "dataset_info" in path.name]
    write_set(folder, 3)
    assert labels(load_sets(folder)) == {3}


def test_tfds_finds_the_data_set_by_its_name_once_it_is_loaded(builder, data_dir):
    name = f"simulated_emg/{builder.builder_config.name}"
    read = tfds.builder_from_directory(str(builder.data_dir))
    assert read.info.full_name == f"{name}/{builder.info.version}"
    records = read.as_dataset(split="validation", as_supervised=True)
    assert [tuple(spec.shape) for spec in records.element_spec] == [(4, 4000), (4000,)]
    assert str(data_dir) in str(read.data_dir)
