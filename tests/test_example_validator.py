"""Every kind of anomaly is found where it was put, and nothing in clean records."""

import made_sets
import numpy as np
import pytest
from made_sets import ALL, NUMBERS, STEPS

from tfseq import datasets, example_validator, schema
from tfseq.datasets.emg_lower_limb import make_dummy_data

PUBLISHED = make_dummy_data.FOLDER.parents[3] / "shared" / "data" / "emg_lower_limb"
TRAIN, VALIDATION, TEST = (numbers[4] for numbers in NUMBERS.values())


@pytest.fixture
def made():
    return made_sets.clean()


@pytest.fixture
def anomalies(tmp_path):
    """Returns a function from records to the anomalies besides their size, by kind."""

    def find(waveforms, labels, named=3, **settings):
        builder = made_sets.load(tmp_path, waveforms, labels, **ALL | settings)
        found = example_validator.validate(builder, named).anomalies
        return {a.kind: a for a in found if a.kind != "shape"}

    return find


def test_clean_records_have_no_anomaly(anomalies, made):
    assert anomalies(*made) == {}


def test_the_size_of_records_is_noted_where_it_is_not_the_schema_s(tmp_path, made):
    validation = example_validator.validate(made_sets.load(tmp_path, *made))
    (shape,) = validation.anomalies
    assert (shape.kind, shape.count, shape.allowed) == ("shape", len(NUMBERS["train"]), True)
    assert shape.detail == "2 x 80; the schema says 4 x 4000"
    assert validation.refused == []
    assert validation.records == {split: len(numbers) for split, numbers in NUMBERS.items()}


@pytest.mark.parametrize(("kind", "value"), [("nan", np.nan), ("infinite", -np.inf)])
def test_missing_values_are_found(anomalies, made, kind, value):
    made[0][VALIDATION, 1, 7:10] = value
    found = anomalies(*made)[kind]
    assert (found.split, found.where, found.count) == ("validation", "channel 2", 1)
    assert found.detail == f"set1/{VALIDATION} (3 steps)"
    assert not found.allowed


def test_a_record_without_any_value_is_found_as_missing_alone(anomalies, made):
    made[1][TEST] = np.nan
    found = anomalies(*made)
    assert set(found) == {"nan"}
    assert found["nan"].detail == f"set1/{TEST} ({STEPS} steps)"


@pytest.mark.parametrize(("value", "printed"), [(4.5, "4.5"), (-0.25, "-0.25")])
def test_labels_out_of_range_are_found_and_the_farthest_is_named(anomalies, made, value, printed):
    made[1][TRAIN, 3] = value
    made[1][TRAIN, 4] = 4.125
    found = anomalies(*made)["out_of_range"]
    assert (found.split, found.where, found.count) == ("train", "label", 1)
    assert found.detail == f"set1/{TRAIN} ({printed})"
    assert not found.allowed


def test_labels_are_held_against_the_range_that_the_data_set_was_built_with(anomalies, made):
    made[1][TRAIN, 3] = 4.5
    assert "out_of_range" not in anomalies(*made, label_range=(0, 5))


def test_constant_channels_and_labels_are_found(anomalies, made):
    made[0][TRAIN, 0] = 0.1
    found = anomalies(*made)
    assert set(found) == {"constant"}
    assert found["constant"].where == "channel 1"
    assert found["constant"].detail == f"set1/{TRAIN} (0.1)"
    assert not found["constant"].allowed
    made = made_sets.clean()
    made[1][TEST] = 0
    assert anomalies(*made)["constant"].where == "label"


def test_a_channel_that_stays_at_its_highest_value_is_found_as_clipped(anomalies, made):
    made[0][VALIDATION, 0] = np.minimum(made[0][VALIDATION, 0], 3)
    share = np.mean(made[0][VALIDATION, 0] == 3)
    assert share > 0.1
    found = anomalies(*made)["clipped"]
    assert (found.split, found.where, found.allowed) == ("validation", "channel 1", False)
    assert found.detail == f"set1/{VALIDATION} ({100 * share:.1f} % at 3.0)"


def test_a_label_that_stays_at_its_lowest_value_is_a_note(anomalies, made):
    made[1][TEST, :20] = 0
    found = anomalies(*made)["clipped"]
    assert (found.where, found.detail) == ("label", f"set1/{TEST} (25.0 % at 0.0)")
    assert found.allowed


def test_few_values_at_the_extreme_are_no_clipping(anomalies, made):
    made[0][TRAIN, 0, :4] = 50  # 5 % of the steps
    assert "clipped" not in anomalies(*made)


def test_the_worst_records_are_named_and_the_others_counted(anomalies, made):
    for place, number in enumerate(NUMBERS["train"][:5]):
        made[0][number, 0, : 1 + place % 3] = np.nan
    found = anomalies(*made, named=2)["nan"]
    assert found.count == 5
    first, second = NUMBERS["train"][2], NUMBERS["train"][1]
    assert f"set1/{first} (3 steps), " in found.detail
    assert found.detail.endswith("(2 steps) and 3 more")
    assert f"set1/{second}" in anomalies(*made, named=5)["nan"].detail


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_waveform_that_occurs_twice_is_found_with_both_records(anomalies, made, split):
    copy = NUMBERS[split][9]
    made[0][copy] = made[0][TRAIN]
    found = anomalies(*made)["duplicate"]
    assert found.split == ("train" if split == "train" else f"train, {split}")
    names = {f"set1/{TRAIN}", f"set1/{copy}"}
    assert set(found.detail.split(" = ")) == names
    assert (found.count, found.where, found.allowed) == (1, "waveform", False)


def test_waveforms_that_differ_in_one_bit_are_no_duplicates(anomalies, made):
    made[0][TEST] = made[0][TRAIN]
    made[0][TEST, 1, -1] = np.nextafter(made[0][TRAIN, 1, -1], np.float32(9))
    assert anomalies(*made) == {}


def test_drift_beyond_the_schema_is_an_anomaly_and_less_a_note(tmp_path, made):
    made[0][NUMBERS["test"], 0] *= 4
    made[0][NUMBERS["test"], 1] += 0.6
    validation = example_validator.validate(made_sets.load(tmp_path, *made))
    drift = {a.where: a for a in validation.anomalies if a.kind == "drift"}
    assert set(drift) == {"channel 1", "channel 2"}
    assert {each.split for each in drift.values()} == {"test"}
    limit = schema.feature("waveform").drift_comparator.jensen_shannon_divergence.threshold
    first, second, label = validation.drift["test"]
    assert first > limit > second > example_validator.NOTABLE_DRIFT > label
    assert not drift["channel 1"].allowed
    assert drift["channel 2"].allowed
    assert max(validation.drift["validation"]) < example_validator.NOTABLE_DRIFT


def test_drift_of_a_split_of_few_records_is_a_note(tmp_path, made):
    made[0][[n for n in NUMBERS["test"] if n < 150], 0] *= 4
    builder = made_sets.load(tmp_path, made[0][:150], made[1][:150])
    drift = [a for a in example_validator.validate(builder).anomalies if a.kind == "drift"]
    noted = next(a for a in drift if a.where == "channel 1" and a.split == "test")
    assert noted.count < 30
    assert noted.allowed
    assert "fewer than 30 records" in noted.detail


@pytest.mark.parametrize("folder", [make_dummy_data.FOLDER, PUBLISHED], ids=["dummy", "published"])
def test_the_recordings_published_twice_are_found_if_they_are_let_in(folder, tmp_path):
    if not folder.is_dir():
        pytest.skip(f"the published recordings are not in {folder}")

    def duplicates(**settings):
        builder = datasets.load("emg_lower_limb", data_dir=tmp_path, manual_dir=folder, **settings)
        found = example_validator.validate(builder).refused
        return [anomaly for anomaly in found if anomaly.kind == "duplicate"]

    assert duplicates() == []
    (found,) = duplicates(allow_duplicates=True)
    assert found.split == "train"
    assert found.count == (1 if folder == make_dummy_data.FOLDER else 23)
    for pair in found.detail.partition(" and ")[0].split(", "):
        one, other = pair.split(" = ")
        assert one[0] == "1"
        assert one[1:] == other[1:]
        assert other[:5] in ("2Npie", "2Nsen")
