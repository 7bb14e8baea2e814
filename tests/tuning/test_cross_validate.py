"""A cross-validation measures every record by a model that saw no record of its group."""

import shutil

import command
import numpy as np
import pytest

from tfseq.example_gen import Split
from tfseq.tuning import cross_validation, cross_validation_run, results
from tfseq.tuning.records import Data

SIZES = {"1N+2N": 6, "4N": 6, "9A": 11}
"""The records of each subject."""


@pytest.fixture(scope="module")
def validated(subject_flags, tmp_path_factory):
    """The folder of the command, and what two runs of it said."""
    folder = tmp_path_factory.mktemp("validated")
    arguments = (
        *("--model=cnn", "--epochs=2", "--folds=2", "--seeds=2", "--seed=3", "--workdir=result"),
        *subject_flags,
    )
    runs = [command.run("tuning.cross_validate", *arguments, cwd=folder).check() for _ in range(2)]
    return folder / "result", runs


@pytest.fixture(scope="module")
def rows(validated):
    return results.read(validated[0])


def examples(builder):
    """All records of the two splits by record_id."""
    splits = [Split(builder, name) for name in ("train", "validation")]
    found = [each for split in splits for each in split.examples().as_numpy_iterator()]
    return {each["record_id"].decode(): each for each in found}


def test_every_group_is_held_out_once_with_every_seed(rows):
    assert [(row["fold"], row["seed"]) for row in rows] == [(1, 3), (2, 3), (1, 4), (2, 4)]
    assert [row["groups"] for row in rows] == [["9A"], ["1N+2N", "4N"]] * 2
    for row in rows:
        assert row["validation_records"] == sum(SIZES[group] for group in row["groups"])
        assert row["training_records"] == 23 - row["validation_records"]
        assert (row["model"], row["dataset"], row["epochs"]) == ("cnn", "emg_lower_limb", 2)


def test_every_record_is_measured_once_with_every_seed(rows, subjects):
    known = {name: each["group"].decode() for name, each in examples(subjects).items()}
    for seed in (3, 4):
        measured = [each for row in rows if row["seed"] == seed for each in row["records"]]
        assert {each["record_id"]: each["group"] for each in measured} == known
        assert len(measured) == len(known) == 23


def test_no_record_of_a_held_out_group_is_trained_on(rows, config, data_dir, subjects, tmp_path):
    data = Data.of(config, tmp_path, data_dir=data_dir)
    waveforms = {each["waveform"].tobytes(): each["group"] for each in examples(subjects).values()}
    for row in rows:
        training, measured = data.divided(row["groups"], row["seed"])
        trained, held_out = (
            {waveforms[waveform.numpy().tobytes()].decode() for waveform, _ in each.records()}
            for each in (training, measured)
        )
        assert held_out == set(row["groups"])
        assert trained == set(SIZES) - held_out
        assert training.num_records + measured.num_records == 23
        assert set(training.groups) == trained


def test_the_error_is_that_after_the_last_epoch(rows):
    for row in rows:
        assert len(row["val_loss"]) == 2
        mean = np.mean([each["mse"] for each in row["records"]])
        assert mean == pytest.approx(row["val_loss"][-1], rel=1e-4)


def test_the_mean_label_is_that_of_the_records_that_were_trained_on(rows, subjects):
    labels = {name: each["label"].astype(np.float64) for name, each in examples(subjects).items()}
    for row in rows:
        held_out = {each["record_id"] for each in row["records"]}
        mean = np.mean([label for name, label in labels.items() if name not in held_out])
        for each in row["records"]:
            expected = np.square(labels[each["record_id"]] - mean).mean()
            assert each["mean_label_mse"] == pytest.approx(expected, rel=1e-9)


def test_the_numbers_are_those_of_the_rows(validated, rows):
    written = command.read_json(validated[0] / "cross_validation.json")
    records = [{**each, "fold": row["fold"]} for row in rows for each in row["records"]]

    def errors(chosen):
        mse, level = (
            np.mean([each[name] for each in chosen]) for name in ("mse", "mean_label_mse")
        )
        return [mse, level, mse / level]

    def listed(of):
        return [of["mse"], of["mean_label_mse"], of["relative_mse"]]

    assert listed(written) == pytest.approx(errors(records))
    by_group = {
        group: errors([each for each in records if each["group"] == group]) for group in SIZES
    }
    assert {each["group"]: listed(each) for each in written["groups"]} == {
        group: pytest.approx(expected) for group, expected in by_group.items()
    }
    assert {each["group"]: each["records"] for each in written["groups"]} == SIZES
    relative = [each["relative_mse"] for each in written["groups"]]
    assert relative == sorted(relative, reverse=True)
    by_fold = [errors([each for each in records if each["fold"] == fold]) for fold in (1, 2)]
    assert [listed(each) for each in written["folds"]] == [pytest.approx(each) for each in by_fold]
    assert [each["groups"] for each in written["folds"]] == [["9A"], ["1N+2N", "4N"]]
    for name, parts in {"groups": list(by_group.values()), "folds": by_fold}.items():
        for place, error in enumerate(("mse", "mean_label_mse", "relative_mse")):
            values = np.array(parts)[:, place]
            spread = written[f"over_{name}"][error]
            assert spread["mean"] == pytest.approx(values.mean())
            assert spread["standard_deviation"] == pytest.approx(values.std(ddof=1))
    assert (written["records"], written["seeds"], written["epochs"]) == (23, [3, 4], 2)


def test_the_table_has_the_numbers_of_the_file(validated):
    folder, (first, _) = validated
    written = command.read_json(folder / "cross_validation.json")
    lines = [line.split() for line in first.stdout.splitlines()]
    for each in written["groups"]:
        numbers = (f"{each[name]:.4f}" for name in ("mse", "mean_label_mse", "relative_mse"))
        assert [each["group"], str(each["fold"]), str(each["records"]), *numbers] in lines
    for title, key in (("mean", "mean"), ("standard deviation", "standard_deviation")):
        for over in ("groups", "folds", "seeds"):
            numbers = (f"{each[key]:.4f}" for each in written[f"over_{over}"].values())
            assert [*title.split(), "over", over, *numbers] in lines


def test_the_same_command_again_trains_nothing(validated, rows):
    _, (first, second) = validated
    assert len(rows) == 4
    assert "[4/4] fold 2 of 2, seed 4: mse" in first.stdout
    assert "4 of which are done" in second.stdout
    assert "[4/4]" not in second.stdout
    assert second.stdout.partition("\n\n")[2] == first.stdout.partition("\n\n")[2]


def test_more_seeds_add_to_what_has_been_run(validated, config, data_dir, tmp_path):
    config.seed = 3
    workdir = shutil.copytree(validated[0], tmp_path / "more")
    before = results.read(workdir)
    cross_validation_run.run(config, workdir, number=2, seeds=3, data_dir=data_dir)
    after = results.read(workdir)
    assert after[:4] == before
    assert [(row["fold"], row["seed"]) for row in after[4:]] == [(1, 5), (2, 5)]


def test_a_run_killed_between_two_folds_goes_on_and_trains_none_twice(builder, data_dir, tmp_path):
    small = (*command.RECORDS, *command.MODELS["mlp"], f"--data_dir={data_dir}", "--epochs=1")
    arguments = ("--model=mlp", "--folds=9", "--workdir=result", *small)
    process = command.start("tuning.cross_validate", *arguments, cwd=tmp_path)
    for line in process.stdout:
        if line.startswith("[2/"):
            break
    process.kill()
    command.finish(process)
    path = tmp_path / "result" / "results.jsonl"
    before = path.read_text(encoding="utf-8")
    assert 2 <= before.count("\n") < 9
    assert not (tmp_path / "result" / "cross_validation.json").exists()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"fold": 3, "se')  # what a kill in the middle of writing leaves
    again = command.run("tuning.cross_validate", *arguments, cwd=tmp_path).check()
    after = path.read_text(encoding="utf-8")
    assert after.startswith(before)
    assert sorted(row["fold"] for row in results.read(path.parent)) == list(range(1, 10))
    assert again.stdout.count(" seed 0: mse") == 9 - before.count("\n")
    written = command.read_json(tmp_path / "result" / "cross_validation.json")
    # Every simulated record is a group of its own, and the table of 70 would be long.
    assert "Every record is a group of its own" in again.stdout
    assert written["records"] == len(written["groups"]) == 70
    assert "... and 30 groups with lower relative errors" in again.stdout


def test_labels_that_do_not_vary_have_no_relative_error():
    records = [
        {"record_id": name, "group": name, "mse": mse, "mean_label_mse": 0.0}
        for name, mse in (("a", 0.0), ("b", 1.0))
    ]
    row = {"fold": 1, "seed": 0, "diverged": None, "records": records}
    found = cross_validation.summarize([row])
    assert (found["mse"], found["relative_mse"]) == (0.5, None)
    assert [each["relative_mse"] for each in found["groups"]] == [None, None]
    assert "0.5000" in cross_validation.table(found)
