"""A run that was stopped, however that happened, ends as one that never was."""

import csv
import random
import re
import shutil
import signal
import time

import command
import keras
import numpy as np
import pytest
import tensorflow as tf
from same_end import assert_same_end

EPOCHS = 3
# Dropout in both, so that the states of the random generators count; RMSprop has slots to restore.
SETTINGS = {
    "cnn": ("--model=cnn", "--batch_size=4", "--config.lowering=always", *command.RECORDS),
    "mlp": (
        "--model=mlp",
        "--config.model.hidden_units=32,16,8",
        "--config.data.cache=never",
        "--config.optimizer.schedule=cosine",
        "--config.optimizer.clip_norm=1",
        "--config.optimizer.average=0.9",
        "--config.augmentation.gain=0.2",
        "--config.augmentation.shift=50",
        "--batch_size=4",
        *command.RECORDS,
    ),
    "unsteady": (
        "--model=cnn",
        "--batch_size=16",
        "--config.optimizer.name=adam",
        "--config.optimizer.learning_rate=0.3",
        "--config.early_stopping.patience=1",
        *command.RECORDS,
    ),
}


@pytest.fixture(scope="module")
def train(builder, data_dir, tmp_path_factory):
    """Starts a training run in a folder."""

    def start(kind, cwd, *flags):
        places = (f"--data_dir={data_dir}", "--workdir=run", "--export_dir=exports")
        return command.start("train", *SETTINGS[kind], *places, *flags, cwd=cwd)

    return start


def whole(train, cwd, kind):
    return command.finish(train(kind, cwd, f"--epochs={EPOCHS}"))


def repeated(train, cwd):
    """One epoch, the same again, then more of them."""
    return [command.finish(train("cnn", cwd, f"--epochs={n}")) for n in (1, 1, EPOCHS)]


def interrupted(train, cwd):
    """SIGINT in the second epoch, then the same command again; and the state between them."""
    process = train("cnn", cwd, f"--epochs={EPOCHS}")
    for line in process.stdout:
        if line.startswith("epoch 1/"):
            break
    process.send_signal(signal.SIGINT)
    stopped = command.finish(process)
    state = command.training_state(cwd / "run" / "checkpoints" / "last.keras")
    return stopped, state, command.finish(train("cnn", cwd, f"--epochs={EPOCHS}"))


def killed(train, cwd):
    """SIGKILL at two moments, then the same command to its end."""
    codes = []
    for saves in (2, 4):
        process = train("mlp", cwd, f"--epochs={EPOCHS}", "--config.checkpoint.every_steps=2")
        _wait_for_saves(process, cwd / "run" / "checkpoints" / "last.keras", saves)
        time.sleep(random.uniform(0, 0.1))
        process.kill()
        codes.append(command.finish(process).code)
    last = train("mlp", cwd, f"--epochs={EPOCHS}", "--config.checkpoint.every_steps=2")
    return codes, command.finish(last)


def _wait_for_saves(process, path, count):
    seen = set()
    while len(seen) < count and process.poll() is None:
        if path.is_file():
            seen.add(path.stat().st_mtime_ns)
        time.sleep(0.005)


def out_of_patience(train, cwd):
    """A run that stops early, the same command again, and one with another seed."""
    flags = ([], [], ["--seed=1"])
    return [command.finish(train("unsteady", cwd, "--epochs=30", *each)) for each in flags]


@pytest.fixture(scope="module")
def runs(train, pool, tmp_path_factory):
    """By name, the folder of a chain of commands and the future of what it returned."""
    chains = {
        "repeated": (repeated,),
        "whole cnn": (whole, "cnn"),
        "interrupted": (interrupted,),
        "whole mlp": (whole, "mlp"),
        "killed": (killed,),
        "out of patience": (out_of_patience,),
    }
    started = {}
    for name, (chain, *arguments) in chains.items():
        cwd = tmp_path_factory.mktemp(name.replace(" ", "_"))
        started[name] = cwd, pool.submit(chain, train, cwd, *arguments)
    yield started
    for _, future in started.values():
        future.cancel()


def history(folder, column):
    with (folder / "run" / "logs" / "history.csv").open() as file:
        return [float(row[column]) for row in csv.DictReader(file)]


def exports(folder):
    return sorted(path.name for path in (folder / "exports").glob("*/[0-9]*"))


def test_the_same_command_again_trains_nothing_and_shows_the_results(runs):
    _, future = runs["repeated"]
    first, again, _ = future.result()
    first.check()
    again.check()
    assert "epoch 1/1" in first.stdout
    assert "epoch 1/1" not in again.stdout
    assert "1 epochs are done" in again.stdout
    assert command.tables(again.stdout) == command.tables(first.stdout) != {}
    # Not a second export: it names the first.
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]


def test_more_epochs_end_as_if_they_had_been_asked_for_at_once(runs):
    folder, future = runs["repeated"]
    other, reference = runs["whole cnn"]
    reference.result().check()
    more = future.result()[-1].check()
    assert [line.split()[1] for line in more.stdout.splitlines() if line[:6] == "epoch "] == [
        "2/3",
        "3/3",
    ]
    assert (exports(folder), exports(other)) == (["1", "2"], ["1"])
    assert_same_end(folder, other)


def test_a_run_interrupted_within_an_epoch_says_so_and_continues_bit_by_bit(runs):
    folder, future = runs["interrupted"]
    other, reference = runs["whole cnn"]
    reference.result().check()
    stopped, state, finished = future.result()
    assert stopped.code == 130
    assert stopped.stderr == ""
    assert stopped.stdout.splitlines()[-1] == (
        "Stopped. The run is saved in run; the same command goes on from there."
    )
    assert state["epoch"] == 1
    assert 0 < state["step"] < 13
    finished.check()
    assert f"1 epochs and {state['step']} steps are done" in finished.stdout
    assert history(folder, "epoch") == [0, 1, 2]
    assert exports(folder) == ["1"]
    assert_same_end(folder, other)


def test_a_run_killed_twice_within_epochs_continues_bit_by_bit(runs):
    folder, future = runs["killed"]
    other, reference = runs["whole mlp"]
    reference.result().check()
    codes, finished = future.result()
    assert codes == [-signal.SIGKILL, -signal.SIGKILL]
    finished.check()
    assert "Continuing from" in finished.stdout
    assert history(folder, "epoch") == [0, 1, 2]
    assert_same_end(folder, other)


def test_a_run_out_of_patience_stops_and_is_not_taken_up_again(runs):
    folder, future = runs["out of patience"]
    first, again, _ = future.result()
    first.check()
    again.check()
    losses = history(folder, "val_loss")
    assert 2 <= len(losses) < 30
    assert min(losses) == losses[-2] < losses[-1]
    assert f"Epoch {len(losses) - 1} of {len(losses)} has the lowest" in first.stdout
    assert not re.search("^epoch ", again.stdout, re.MULTILINE)
    assert command.tables(again.stdout) == command.tables(first.stdout) != {}
    assert exports(folder) == ["1"]


def test_the_best_epoch_is_measured_and_exported(runs, builder):
    folder, future = runs["out of patience"]
    future.result()[0].check()
    scores = command.read_json(folder / "run" / "evaluation.json")["splits"]["validation"]
    assert scores["metrics"]["mse"] == pytest.approx(min(history(folder, "val_loss")), rel=1e-4)
    export = tf.saved_model.load(str(folder / "exports" / "cnn" / "1"))
    waveform = next(iter(builder.as_dataset(split="test").batch(4)))["waveform"]
    exported = export.signatures["serving_default"](waveform=waveform)["label"]
    best, last = (
        keras.models.load_model(folder / "run" / "checkpoints" / f"{name}.keras")(waveform)
        for name in ("best", "last")
    )
    np.testing.assert_allclose(exported, best, atol=1e-4)
    assert np.abs(exported - last).max() > 1e-2


def test_a_run_is_not_continued_with_other_settings(runs):
    folder, future = runs["out of patience"]
    message = future.result()[-1].refusal()
    assert "--config.seed=0, not 1" in message
    assert "--workdir" in message
    assert command.read_json(folder / "run" / "config.json")["seed"] == 0


def test_a_run_with_a_schedule_is_not_continued_for_other_epochs(runs, train):
    folder, future = runs["whole mlp"]
    future.result().check()
    message = command.finish(train("mlp", folder, f"--epochs={EPOCHS + 1}")).refusal()
    assert f"--config.epochs={EPOCHS}, not {EPOCHS + 1}" in message


def test_a_damaged_checkpoint_is_refused_and_left_as_it_is(runs, train, tmp_path):
    folder, future = runs["out of patience"]
    future.result()
    shutil.copytree(folder / "run", tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "last.keras"
    damaged = path.read_bytes()[:-100]
    path.write_bytes(damaged)
    (tmp_path / "run" / "checkpoints" / "previous.keras").unlink()
    message = command.finish(train("unsteady", tmp_path, "--epochs=30")).refusal()
    assert "last.keras: not a checkpoint" in message
    assert "--workdir" in message
    assert path.read_bytes() == damaged
    assert not (tmp_path / "exports").exists()
