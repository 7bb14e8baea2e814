"""A damaged record is named with its file, and what can be read around it is read."""

import damage
import numpy as np
import pytest

from tfseq import record_integrity, record_salvage
from tfseq.errors import UserError
from tfseq.example_gen import Split, training_batches

# What is done to the 50 records of the split train, and those that are lost.
DAMAGES = {
    "a byte of a record": (lambda path: damage.flip(path, 17, 500), [17]),
    "the first and the last": (
        lambda path: [damage.flip(path, index, 500) for index in (0, 49)],
        [0, 49],
    ),
    "neighbours": (lambda path: [damage.flip(path, i, 12) for i in (3, 4, 5)], [3, 4, 5]),
    "a length": (lambda path: damage.flip(path, 30, 1), [*range(30, 50)]),
    "a length's checksum": (lambda path: damage.flip(path, 48, 9), [48, 49]),
    "a file cut within a record": (lambda path: damage.cut(path, 40, 77), [*range(40, 50)]),
    "a file cut between records": (lambda path: damage.cut(path, 40), [*range(40, 50)]),
    "a byte, then a length": (
        lambda path: [damage.flip(path, *place) for place in ((2, 500), (45, 0))],
        [2, *range(45, 50)],
    ),
}


@pytest.fixture
def copied(builder, data_dir, tmp_path):
    return damage.copied(data_dir, tmp_path / "data")


def ids(split):
    return [example["record_id"] for example in split.examples().as_numpy_iterator()]


def read(split):
    with record_integrity.named(split.builder):
        return ids(split)


def test_a_whole_data_set_is_read_as_it_is(copied, tmp_path, capsys):
    assert record_integrity.damage(copied) == []
    assert len(read(Split(copied, "train"))) == 50
    assert record_salvage.salvaged(copied, tmp_path / "salvaged") is copied
    assert not (tmp_path / "salvaged").exists()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_records_are_named_and_the_others_read(kind, copied, tmp_path, capsys):
    before = {name: ids(Split(copied, name)) for name in ("train", "validation")}
    path = damage.file_of(copied)
    harm, lost = DAMAGES[kind]
    harm(path)
    with pytest.raises(UserError, match="on_corrupt=skip") as refused:
        read(Split(copied, "train"))
    (found,) = record_integrity.damage(copied)
    assert (found.path, list(found.records), found.expected) == (path, lost, 50)
    assert str(found) in str(refused.value)
    assert "\n" not in str(refused.value)
    whole = record_salvage.salvaged(copied, tmp_path / "salvaged")
    assert capsys.readouterr().out == f"skipped {len(lost)} of 90 records: {found}\n"
    split = Split(whole, "train")
    assert whole.info.full_name == copied.info.full_name
    assert split.num_records == 50 - len(lost)
    assert ids(split) == [name for index, name in enumerate(before["train"]) if index not in lost]
    assert ids(Split(whole, "validation")) == before["validation"]
    assert record_integrity.damage(whole) == []


def test_records_are_named_as_ranges(copied):
    path = damage.file_of(copied)
    for record in (3, 4, 5, 17, 20, 21):
        damage.flip(path, record, 500)
    assert str(record_integrity.damage(copied)[0]) == f"{path} records 3 to 5, 17, 20 to 21"


def test_what_is_left_has_parts_and_batches_as_any_data_set(copied, tmp_path):
    damage.flip(damage.file_of(copied), 17, 500)
    builders = [record_salvage.salvaged(copied, tmp_path / name) for name in ("a", "a", "b")]
    assert [path.name for path in (tmp_path / "a").iterdir()] == [
        path.name for path in (tmp_path / "b").iterdir()
    ]
    splits = [Split(each, "train[:20]") for each in builders]
    assert [split.num_records for split in splits] == [20] * 3
    assert b"train/" in ids(splits[0])[-1]
    labels = [
        np.concatenate(
            [label for _, label in training_batches(split, 8, seed=3).take(6).as_numpy_iterator()]
        )
        for split in splits
    ]
    np.testing.assert_array_equal(labels[0], labels[1])
    np.testing.assert_array_equal(labels[0], labels[2])


def test_damage_elsewhere_is_another_salvaged_data_set(copied, tmp_path):
    damage.flip(damage.file_of(copied), 17, 500)
    first = record_salvage.salvaged(copied, tmp_path)
    damage.flip(damage.file_of(copied), 18, 500)
    second = record_salvage.salvaged(copied, tmp_path)
    assert [Split(each, "train").num_records for each in (first, second)] == [49, 48]


def test_other_errors_stay_what_they_are(copied):
    with pytest.raises(ZeroDivisionError), record_integrity.named(copied):
        _ = 1 / 0
