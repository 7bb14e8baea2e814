"""Workers that are killed and started again end as workers that never were."""

import functools
import random
import time

import cluster
import command
import keras
import numpy as np
import pytest

FLAGS = (
    "--epochs=3",
    "--batch_size=7",
    "--config.optimizer.momentum=0.9",
    "--config.checkpoint.every_steps=3",
    *command.RECORDS,
)


@pytest.fixture(scope="module")
def flags(builder, data_dir):
    return (*FLAGS, f"--data_dir={data_dir}", "--workdir=run", "--export_dir=exports")


@pytest.fixture(scope="module")
def whole(flags, tmp_path_factory):
    """Returns a function from a model to the folder of a run that nobody stopped."""

    @functools.cache
    def run(model):
        folder = tmp_path_factory.mktemp(model)
        for finished in cluster.run(folder, f"--model={model}", *flags):
            finished.check()
        return folder

    return run


def wait_for_saves(process, path, count):
    seen = set()
    while len(seen) < count and process.poll() is None:
        if path.is_file():
            seen.add(path.stat().st_mtime_ns)
        time.sleep(0.005)
    assert process.poll() is None


def state(folder):
    path = folder / "run" / "checkpoints" / "last.keras"
    model = keras.models.load_model(path)
    values = [v.numpy() for v in (*model.weights, *model.optimizer.variables)]
    return values, command.training_state(path)


# resnet normalizes batches, cnn has dropout, whose masks differ from worker to worker.
@pytest.mark.parametrize(
    ("model", "victims"),
    [("resnet", (0,)), ("resnet", (1,)), ("resnet", (0, 1)), ("cnn", (0, 1))],
    ids=["chief", "other", "both", "both, with dropout"],
)
def test_killed_workers_continue_bit_by_bit(model, victims, flags, whole, tmp_path):
    flags = (f"--model={model}", *flags)
    processes = cluster.start(tmp_path, *flags)
    wait_for_saves(processes[0], tmp_path / "run" / "checkpoints" / "last.keras", 4)
    time.sleep(random.uniform(0, 0.1))
    for index in victims:
        processes[index].kill()
    for index, process in enumerate(processes):
        finished = command.finish(process)
        if index not in victims:
            message = finished.refusal()
            assert f"worker {index} stops, for another worker has stopped" in message
            assert "start all workers again" in message
    for finished in cluster.run(tmp_path, *flags):
        assert "Continuing from run/checkpoints/last.keras" in finished.check().stdout
    unharmed = whole(model)
    values, position = state(tmp_path)
    expected, expected_position = state(unharmed)
    assert position == expected_position
    for mine, theirs in zip(values, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    histories = [
        (folder / "run" / "logs" / "history.csv").read_bytes() for folder in (tmp_path, unharmed)
    ]
    assert histories[0] == histories[1]
    assert len(list((tmp_path / "exports" / model).glob("[0-9]*"))) == 1


def test_a_worker_without_the_chief_s_checkpoints_stops_all(flags, whole, tmp_path):
    folders = (whole("resnet"), tmp_path)
    chief, other = (("--epochs=4", f"--workdir={folder / 'run'}") for folder in folders)
    for finished in cluster.run(tmp_path, "--model=resnet", *flags, each=(chief, other)):
        message = finished.refusal()
        assert "the workers differ in the checkpoint's epoch: worker 0" in message
        assert "has no checkpoint" in message
    assert not (tmp_path / "run").exists()
