"""A split's fingerprint follows its records, and nothing else."""

import shutil

import made_sets
import pytest
import tensorflow_datasets as tfds

from tfseq import fingerprint
from tfseq.example_gen import Split


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Two builders of record_sets of the same shape; one label differs."""
    waveforms, labels = made_sets.clean()
    first = made_sets.load(tmp_path_factory.mktemp("first"), waveforms, labels)
    labels = labels.copy()
    labels[made_sets.NUMBERS["train"][7], 3] += 0.001
    return first, made_sets.load(tmp_path_factory.mktemp("second"), waveforms, labels)


def test_a_copy_elsewhere_has_the_same_fingerprint(builder, tmp_path):
    copy = shutil.copytree(builder.data_dir, tmp_path / "copy", copy_function=shutil.copyfile)
    copied = tfds.builder_from_directory(copy)
    for split in ("train", "validation[:50%]"):
        assert fingerprint.of(Split(copied, split)) == fingerprint.of(Split(builder, split))


def test_splits_and_parts_of_them_differ(builder):
    names = ("train", "train[:50%]", "train[:10]", "train[1:11]", "validation", "test")
    found = {fingerprint.of(Split(builder, name)) for name in names}
    assert len(found) == len(names)
    assert all(len(each) == 64 for each in found)


def test_one_other_value_is_another_fingerprint_though_sizes_agree(sets):
    first, second = (fingerprint.of(Split(each, "train")) for each in sets)
    assert first != second
    # The other splits were built from the same values.
    first, second = (fingerprint.of(Split(each, "test")) for each in sets)
    assert first == second


def test_a_file_that_was_cut_short_is_another(builder, tmp_path):
    before = fingerprint.of(Split(builder, "train"))
    copied = tfds.builder_from_directory(shutil.copytree(builder.data_dir, tmp_path / "copy"))
    path = next((tmp_path / "copy").glob("*-train.tfrecord*"))
    whole = path.read_bytes()
    for missing in (100, len(whole) - 5):
        path.write_bytes(whole[:-missing])
        assert fingerprint.of(Split(copied, "train")) != before


def test_a_length_that_was_damaged_is_no_place_to_read_at(builder, tmp_path):
    before = fingerprint.of(Split(builder, "train"))
    copied = tfds.builder_from_directory(shutil.copytree(builder.data_dir, tmp_path / "copy"))
    path = next((tmp_path / "copy").glob("*-train.tfrecord*"))
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])
    assert fingerprint.of(Split(copied, "train")) != before
