"""A checkpoint that is not whole is named and passed over; what is read is what was written."""

import os
import resource

import keras
import numpy as np
import pytest

from tfseq import checkpoint_files, models
from tfseq.checkpoint_files import Position
from tfseq.errors import UserError


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    built = models.build("mlp", waveform_shape=(4, 16), hidden_units=(8,), dropout=0.5)
    built.compile(optimizer="rmsprop", loss="mse")
    built.train_on_batch(np.ones((3, 4, 16), np.float32), np.zeros((3, 16), np.float32))
    return built


def state(model):
    values = [weight.numpy() for weight in (*model.weights, *model.optimizer.variables)]
    return b"".join(value.tobytes() for value in values)


@pytest.fixture
def folder(model, tmp_path):
    """Checkpoints of epochs 1 and 2, between which the model has learned; epoch 1 was the best."""
    checkpoint_files.save(model, Position(1, 0, 1, 0.5), None, tmp_path, is_best=True)
    model.train_on_batch(np.ones((3, 4, 16), np.float32), np.zeros((3, 16), np.float32))
    checkpoint_files.save(model, Position(2, 0, 1, 0.5, 1), None, tmp_path)
    return tmp_path


def test_the_last_is_read_and_the_one_before_it_kept(folder, model):
    restored = checkpoint_files.restore(folder)
    assert restored.path.name == "last.keras"
    assert restored.position == Position(2, 0, 1, 0.5, 1)
    assert state(restored.model) == state(model)
    previous = keras.models.load_model(folder / "previous.keras")
    best = keras.models.load_model(checkpoint_files.best(folder))
    assert state(previous) == state(best) != state(model)
    assert {path.name for path in folder.iterdir()} == {
        "last.keras",
        "previous.keras",
        "best.keras",
    }


def test_no_checkpoint_is_no_run(tmp_path):
    assert not checkpoint_files.exist(tmp_path)
    assert checkpoint_files.restore(tmp_path) is None


def truncated(content):
    return content[: len(content) // 2]


def emptied(content):
    return b""


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 16]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [truncated, emptied, flipped])
def test_a_damaged_last_is_named_and_the_previous_read(folder, damage, caplog):
    path = folder / "last.keras"
    path.write_bytes(damage(path.read_bytes()))
    restored = checkpoint_files.restore(folder)
    assert restored.path.name == "previous.keras"
    assert restored.position.epoch == 1
    assert f"{path} is damaged and passed over" in caplog.text


@pytest.mark.parametrize("damage", [truncated, flipped])
def test_a_save_after_a_damaged_last_keeps_the_whole_one(folder, model, damage):
    path, previous = folder / "last.keras", (folder / "previous.keras").read_bytes()
    path.write_bytes(damage(path.read_bytes()))
    checkpoint_files.restore(folder)
    checkpoint_files.save(model, Position(2, 0, 1, 0.5, 1), None, folder)
    assert (folder / "previous.keras").read_bytes() == previous
    path.unlink()  # as a kill in the midst of the next save would
    assert checkpoint_files.restore(folder).position.epoch == 1


def test_a_last_that_is_gone_is_no_end(folder):
    (folder / "last.keras").unlink()
    assert checkpoint_files.exist(folder)
    assert checkpoint_files.restore(folder).position.epoch == 1


def test_without_a_whole_one_the_first_is_named(folder):
    for name in ("last.keras", "previous.keras"):
        (folder / name).write_bytes(b"PK")
    with pytest.raises(UserError, match=r"last\.keras: not a checkpoint"):
        checkpoint_files.restore(folder)


def test_a_damaged_best_is_named(folder, model):
    path = checkpoint_files.best(folder)
    path.write_bytes(flipped(path.read_bytes()))
    with pytest.raises(UserError, match=r"best\.keras is damaged"):
        checkpoint_files.load_best(model, folder)


def test_a_flipped_bit_anywhere_changes_nothing_or_is_noticed(folder, model, tmp_path_factory):
    written, expected = (folder / "last.keras").read_bytes(), state(model)
    other = tmp_path_factory.mktemp("flipped")
    random = np.random.default_rng(0)
    noticed = 0
    for place in random.integers(len(written), size=100):
        bit = 1 << int(random.integers(8))
        content = written[:place] + bytes([written[place] ^ bit]) + written[place + 1 :]
        (other / "last.keras").write_bytes(content)
        try:
            restored = checkpoint_files.restore(other)
        except UserError:
            noticed += 1
        else:
            assert state(restored.model) == expected
            assert restored.position == Position(2, 0, 1, 0.5, 1)
    assert noticed > 80


@pytest.mark.parametrize("share", [0.1, 0.9, 0.999])
def test_a_checkpoint_that_finds_no_room_leaves_those_before_it(folder, model, share):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * len(before["last.keras"])), limits[1]))
    try:
        with pytest.raises(UserError, match=f"{folder}: cannot write a checkpoint: .*"):
            checkpoint_files.save(model, Position(3), None, folder, is_best=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_system_without_hard_links_gets_copies(folder, model, monkeypatch):
    def refuse(source, target):
        raise OSError(1, "Operation not permitted")

    last = (folder / "last.keras").read_bytes()
    monkeypatch.setattr(os, "link", refuse)
    checkpoint_files.save(model, Position(3), None, folder, is_best=True)
    assert (folder / "previous.keras").read_bytes() == last
    assert (folder / "best.keras").read_bytes() == (folder / "last.keras").read_bytes()


def test_a_save_makes_no_optimizer_whose_memory_would_be_lost(folder, model, monkeypatch):
    made = []
    make = keras.optimizers.Optimizer.__init__

    def counted(self, *arguments, **settings):
        made.append(self)
        make(self, *arguments, **settings)

    monkeypatch.setattr(keras.optimizers.Optimizer, "__init__", counted)
    checkpoint_files.save(model, Position(3), None, folder)
    assert made == []


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not(folder, python):
    dead = int(python("import os; print(os.getpid())"))
    for process in (dead, os.getpid()):
        for name in (f".{process}.keras", f".{process}.last.keras"):
            (folder / name).touch()
    assert checkpoint_files.restore(folder).position.epoch == 2
    left = {path.name for path in folder.glob(".*")}
    assert left == {f".{os.getpid()}.keras", f".{os.getpid()}.last.keras"}


LARGE = """
import sys
from pathlib import Path
from tfseq import checkpoint_files, models

def held():
    with open("/proc/self/status") as file:
        return max(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024

model = models.build("mlp", waveform_shape=(4, 500), hidden_units=(2000,) * 6, dropout=0.0)
model.compile(optimizer="sgd", loss="mse")
size = sum(weight.numpy().nbytes for weight in model.weights) / 2**20
before, folder = held(), Path(sys.argv[1])
checkpoint_files.save(model, checkpoint_files.Position(1), None, folder)
print(size, held() - before)
"""


def test_a_save_holds_no_second_copy_of_the_weights(python, tmp_path):
    size, more = map(float, python(LARGE, str(tmp_path)).split())
    assert more < 0.7 * size  # each array is copied by itself
