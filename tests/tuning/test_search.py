"""A search runs every arm with every seed as tfseq.train would, whatever becomes of an arm."""

import dataclasses
import re

import command
import keras
import numpy as np
import pytest

from tfseq import configs, trainer
from tfseq.errors import UserError
from tfseq.example_gen import Split
from tfseq.tuning import results, running, studies, study
from tfseq.tuning.study import Arm


def of(name):
    return study.find(studies.ALL, [name])[0]


def with_arms(name, *arms):
    """A study with other arms, of which nothing is expected."""
    return dataclasses.replace(of(name), arms=arms, expectations=())


def run(chosen, given, **how):
    running.run([chosen], given, **how)
    return results.read(given.folder(chosen))


@pytest.mark.parametrize("name", ["cnn/regularization", "mlp/dropout"])
def test_every_arm_is_run_once_with_every_seed(searched, name):
    rows = results.read(searched.folder(of(name)))
    expected = [(arm.label, seed) for seed in (0, 1) for arm in of(name).arms]
    assert [(row["arm"], row["seed"]) for row in rows] == expected


def test_a_row_says_what_was_run(searched):
    for row in results.read(searched.folder(of("cnn/regularization"))):
        assert row["dataset"] == "simulated_emg"
        assert row["model"] == "cnn"
        assert row["training_records"] == 50
        assert row["validation_records"] == 20
        assert row["epochs"] == len(row["loss"]) == len(row["val_loss"]) == 2
        assert row["parameters"] == 199
        assert row["seconds"] > 0
        assert row["diverged"] is None
        assert row["width_fraction"] == 0.005
        assert 4 < row["levels"]["zero"] < 7
        assert 1 < row["levels"]["mean"] < 2
        assert row["versions"]["keras"] == keras.__version__


def test_a_trial_trains_as_the_training_command_does(searched, builder, tmp_path):
    rows = results.read(searched.folder(of("cnn/regularization")))
    config = configs.get("cnn")
    config.epochs, config.seed = 2, 1
    splits = Split(builder, "train"), Split(builder, "validation")
    trainer.train(config, *splits, tmp_path)
    history = np.genfromtxt(tmp_path / "logs" / "history.csv", delimiter=",", names=True)
    (row,) = (row for row in rows if row["seed"] == 1 and not row["settings"])
    np.testing.assert_allclose(row["loss"], history["loss"], rtol=1e-6)
    np.testing.assert_allclose(row["val_loss"], history["val_loss"], rtol=1e-6)


def test_logs_are_for_tensorboard_and_no_checkpoint_stays(searched):
    folder = searched.folder(of("cnn/regularization"))
    assert len(list(folder.glob("logs/*/**/events.out.tfevents.*"))) >= 4
    assert not list(searched.workdir.rglob("*.keras"))
    assert not list(searched.workdir.rglob("*.h5"))


def test_checkpoints_are_kept_where_asked_for(options):
    given = options("kept", seeds=1, keep_checkpoints=True)
    chosen = with_arms("mlp/dropout", Arm("alone"))
    (row,) = run(chosen, given)
    (path,) = given.folder(chosen).glob("checkpoints/*.keras")
    assert keras.models.load_model(path).count_params() >= row["parameters"]


def test_diverged_trials_are_marked_count_as_the_worst_and_end_nothing(options):
    given = options("diverged")
    chosen = with_arms(
        "mlp/optimizer",
        Arm("fine"),
        Arm("wild", {"optimizer.name": "sgd", "optimizer.learning_rate": 1e30}),
        Arm("impossible", {"model.dropout": (0.5, 0.5)}),
        Arm("fine too", {"model.dropout": (0.0, 0.0, 0.0)}),
    )
    rows = run(chosen, given)
    reasons = {}
    for row in rows:
        reasons.setdefault(row["arm"], []).append(row["diverged"])
    assert reasons["fine"] == reasons["fine too"] == [None, None]
    assert all("not finite in epoch" in reason for reason in reasons["wild"])
    assert all("expected 3 rates" in reason for reason in reasons["impossible"])
    wild = next(row for row in rows if row["arm"] == "wild")
    assert study.measure(wild, study.BEST) == float("inf")


def test_a_mistake_in_what_all_trials_share_ends_the_search_and_leaves_no_result(options):
    settings = options("unused").settings | {"transform.views": ("nonsense",)}
    given = options("mistaken", settings=settings)
    with pytest.raises(UserError, match=r"transform\.views.*nonsense"):
        running.run([of("mlp/dropout")], given)
    assert results.read(given.folder(of("mlp/dropout"))) == []


def test_results_with_other_settings_are_refused_by_the_flag_s_name(searched):
    longer = dataclasses.replace(searched, epochs=3)
    with pytest.raises(UserError, match=r"with --epochs=2, not with --epochs=3.*--workdir"):
        running.run([of("mlp/dropout")], longer)


def test_more_seeds_add_to_what_has_been_run(options, capsys):
    chosen = of("mlp/dropout")
    before = run(chosen, options("more", seeds=1))
    after = run(chosen, options("more", seeds=2))
    assert after[: len(before)] == before
    assert [row["seed"] for row in after] == [0, 0, 1, 1]
    assert run(chosen, options("more", seeds=2)) == after
    assert "all 4 trials have been run" in capsys.readouterr().out


def test_executions_repeat_a_seed(options):
    given = options("repeated", seeds=1, executions=2)
    rows = run(with_arms("mlp/initializer", Arm("PyTorch's")), given)
    assert [row["execution"] for row in rows] == [0, 1]
    assert rows[0]["val_loss"] == pytest.approx(rows[1]["val_loss"], rel=1e-5)


@pytest.mark.parametrize("kind", ["random", "bayesian", "hyperband"])
def test_other_searches_run_no_trial_twice(options, kind):
    given = options(kind, seeds=2, epochs=3 if kind == "hyperband" else 1)
    rows = run(of("mlp/dropout"), given, tuner=kind)
    keys = [(row["arm"], row["seed"], row["epochs"]) for row in rows]
    assert len(set(keys)) == len(keys) > 1
    assert all(row["complete"] == (row["epochs"] == given.epochs) for row in rows)
    assert run(of("mlp/dropout"), given, tuner=kind) == rows


def test_a_search_killed_in_a_trial_goes_on_without_running_one_twice(flags, tmp_path):
    arguments = ("--study=mlp/optimizer", "--seeds=2", *flags)
    process = command.start("tuning.search", *arguments, cwd=tmp_path)
    for line in process.stdout:
        if line.startswith("[3/"):
            break
    process.kill()
    command.finish(process)
    path = tmp_path / "studies" / "simulated_emg" / "mlp" / "optimizer" / "results.jsonl"
    before = path.read_text(encoding="utf-8")
    assert 3 <= before.count("\n") < 10
    with path.open("a", encoding="utf-8") as file:
        file.write('{"study": "mlp/opt')  # what a kill in the middle of writing leaves
    again = command.run("tuning.search", *arguments, cwd=tmp_path).check()
    after = path.read_text(encoding="utf-8")
    assert after.startswith(before)
    assert after.count("\n") == 10
    keys = [(row["arm"], row["seed"]) for row in results.read(path.parent)]
    assert len(set(keys)) == 10
    assert again.stdout.count(" seed ") == 10 - before.count("\n")


def test_a_search_that_starts_afresh_runs_every_trial_once(flags, tmp_path):
    arguments = ("--study=mlp/dropout", "--seeds=1", "--fresh_after=1", *flags)
    done = command.run("tuning.search", *arguments, cwd=tmp_path).check()
    rows = results.read(tmp_path / "studies" / "simulated_emg" / "mlp" / "dropout")
    assert len({row["arm"] for row in rows}) == len(rows) == 2
    trials = [line.split("]")[0] for line in done.stdout.splitlines() if " seed " in line]
    assert trials == ["[1/2", "[2/2"]
    assert done.stderr == ""


_SEARCH_TWICE = """
import sys
from pathlib import Path

from tfseq import cli

cli.import_tensorflow()
from tensorflow.python.framework import config

from tfseq.tuning import options, results, running, studies, study

settings = {f"dataset.{split}_records": count for split, count in
            (("train", 50), ("validation", 20), ("test", 20))}
workdir, data_dir = sys.argv[1:]
given = options.Options(
    Path(workdir), data_dir=data_dir, settings=settings | {"deterministic": True}, seeds=1,
    executions=2, epochs=1)
(chosen,) = study.find(studies.ALL, ["cnn/regularization"])
assert not config.is_op_determinism_enabled()
running.run([chosen], given)
print("deterministic", config.is_op_determinism_enabled())
"""


def test_trials_are_deterministic_where_that_is_asked_for(builder, data_dir, tmp_path, python):
    assert "deterministic True" in python(_SEARCH_TWICE, tmp_path, data_dir)
    rows = results.read(tmp_path / "simulated_emg/cnn/regularization")
    losses = {}
    for row in rows:
        losses.setdefault(row["arm"], []).append((row["loss"], row["val_loss"]))
    assert len(losses) == 2
    assert all(first == second for first, second in losses.values())


_SEARCH_AND_MEASURE = """
import gc
import math
import sys
from pathlib import Path

from tfseq import cli

cli.import_tensorflow()
import keras

from tfseq.tuning import options, running, studies, study

settings = {f"dataset.{split}_records": count for split, count in
            (("train", 50), ("validation", 20), ("test", 20))}
workdir, data_dir = sys.argv[1:]
given = options.Options(
    Path(workdir), data_dir=data_dir, settings=settings, seeds=1, epochs=1, width_fraction=0.05)
for name in ("mlp/initializer", "mlp/optimizer"):
    running.run(study.find(studies.ALL, [name]), given)
    gc.collect()
    variables = [each for each in gc.get_objects() if isinstance(each, keras.Variable)]
    print("held", sum(math.prod(each.shape) for each in variables))
"""


def test_a_trial_gives_its_memory_back(builder, data_dir, tmp_path, python):
    said = python(_SEARCH_AND_MEASURE, tmp_path, data_dir)
    # Not the process's memory: what TensorFlow and the C library keep of it is as much as a leak.
    assert re.findall(r"^held (\d+)$", said, re.MULTILINE) == ["0", "0"]
    assert len(results.read(tmp_path / "simulated_emg/mlp/optimizer")) > 1
