"""The validator's command line: what it prints, and the exit code that says whether all is well."""

import command
import made_sets
import numpy as np
import pytest

from tfseq import schema
from tfseq.record_checks import RecordChecks, allows


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The command on clean records, and on records with a NaN, a copy and a clipped label."""
    folder = tmp_path_factory.mktemp("validator")
    made_sets.write(folder / "clean", *made_sets.clean())
    waveforms, labels = made_sets.clean()
    train, test = made_sets.NUMBERS["train"][0], made_sets.NUMBERS["test"][0]
    waveforms[train, 1, 5] = np.nan
    waveforms[test] = waveforms[train]
    labels[test, :9] = 4
    made_sets.write(folder / "bad", waveforms, labels)
    processes = {
        name: command.start(
            "example_validator",
            "--dataset=record_sets",
            f"--manual_dir={name}",
            f"--data_dir=built_{name}",
            "--config.dataset.allow_nonfinite=true",
            cwd=folder,
        )
        for name in ("clean", "bad")
    }
    return {name: command.finish(process) for name, process in processes.items()}


def test_clean_records_end_in_exit_code_0(finished):
    stdout = finished["clean"].check().stdout
    assert stdout.endswith("Anomalies that the schema does not allow: 0; notes: 1\n")
    counts = ", ".join(f"{len(n)} {split}" for split, n in made_sets.NUMBERS.items())
    assert f"record_sets against the schema: {counts} records" in stdout


def test_anomalies_end_in_exit_code_1_and_come_before_the_notes(finished):
    bad = finished["bad"]
    assert bad.code == 1
    assert bad.stderr == ""
    rows = [line.split() for line in bad.stdout.splitlines()]
    found = [(row[0], row[1]) for row in rows if row and row[0] in ("anomaly", "note")]
    assert sorted(found[:3]) == [("anomaly", "duplicate"), ("anomaly", "nan"), ("anomaly", "nan")]
    assert found[3:] == [("note", "shape"), ("note", "clipped")]
    assert bad.stdout.endswith("Anomalies that the schema does not allow: 3; notes: 2\n")


def test_drift_is_printed_even_where_there_is_none(finished):
    lines = finished["clean"].stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if "Drift from train" in line)
    assert lines[start + 1].split() == ["validation", "test"]
    bits = [float(cell) for line in lines[start + 2 : start + 5] for cell in line.split()[-2:]]
    assert len(bits) == 6
    assert max(bits) < 0.01


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), "--dataset is missing"),
        (("--dataset=simulated_emg", "--named=0"), "--named"),
        (("--dataset=simulated_emg", "--split=train"), "Unknown command line flag 'split'"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments, found, tmp_path):
    assert found in command.run("example_validator", *arguments, cwd=tmp_path).refusal()


def test_help_shows_examples_and_flags(tmp_path):
    stdout = command.run("example_validator", "--help", cwd=tmp_path).check().stdout
    assert "python -m tfseq.example_validator --dataset=emg_lower_limb" in stdout
    assert "--named: " in stdout
    assert "--config.dataset.allow_duplicates=" in stdout


def test_the_schema_says_what_is_allowed():
    assert allows("clipped", "label")
    assert allows("shared_group", "group")
    for where in ("channel 1", "label"):
        assert not allows("nan", where)
        assert not allows("infinite", where)
        assert not allows("constant", where)
    assert not allows("clipped", "channel 1")
    assert not allows("duplicate", "waveform")


def test_all_that_the_schema_allows_is_a_kind_that_exists():
    kinds = {"shape", "constant", "clipped", "duplicate", "shared_group"}
    tags = [
        tag
        for name in ("waveform", "label", "record_id", "group")
        for tag in schema.feature(name).annotation.tag
    ]
    assert len(tags) == 3
    assert {tag.removeprefix("allow_") for tag in tags} <= kinds


def examples(names, groups):
    random = np.random.default_rng(len(names))
    return {
        "waveform": random.normal(size=(len(names), 1, 50)).astype(np.float32),
        "label": random.uniform(0, 4, (len(names), 50)).astype(np.float32),
        "record_id": np.array(names, object),
        "group": np.array(groups, object),
    }


def test_a_group_in_two_splits_is_noted_once():
    checks = RecordChecks(schema.label_range())
    checks.add("train", examples([b"1", b"2", b"3"], [b"anna", b"anna", b"bert"]))
    checks.add("test", examples([b"4", b"5"], [b"anna", b"anna"]))
    (found,) = checks.anomalies()
    assert (found.kind, found.split, found.count) == ("shared_group", "train, test", 1)
    assert (found.detail, found.allowed) == ("anna", True)
