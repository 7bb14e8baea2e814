"""Strategies and precisions change how a model is trained, not what it learns."""

import json
from types import SimpleNamespace

import psutil
import pytest

from tfseq import configs, trainer
from tfseq.example_gen import Split

SCRIPT = """
import json, sys
from pathlib import Path

from tfseq import cli

cli.import_tensorflow()
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras
from tfseq import configs, datasets, trainer
from tfseq.errors import UserError
from tfseq.example_gen import Split

data_dir, workdir = sys.argv[1:]
builder = datasets.load(
    "simulated_emg", data_dir=data_dir, train_records=50, validation_records=20, test_records=20
)

small = {
    "cnn": {"dropout": (0.0, 0.0)},
    "mlp": {"dropout": (0.0, 0.0, 0.0), "hidden_units": (32, 16, 8)},
}

def train(name, model, **changes):
    config = configs.get(model)
    config.update({"epochs": 2, "batch_size": 20, **changes})
    config.model.update(small.get(model, {}))
    folder = Path(workdir, name)
    result = trainer.train(config, Split(builder, "train"), Split(builder, "validation"), folder)
    history = (folder / "logs" / "history.csv").read_text().splitlines()[1:]
    return result.model, [[float(value) for value in row.split(",")] for row in history]

found = {}
for model in ("cnn", "resnet"):
    for strategy in ("one_device", "mirrored"):
        name = f"{model} {strategy}"
        trained, found[name] = train(name, model, strategy=strategy)
found["replicas"] = [
    [copy.numpy().tolist() for copy in variable.value.values]
    for variable in trained.non_trainable_variables if "moving" in variable.path
]

clipped = {"name": "sgd", "learning_rate": 1.0, "clip_norm": 0.1}
for strategy in ("one_device", "mirrored"):
    name = f"clipped {strategy}"
    _, found[name] = train(name, "mlp", strategy=strategy, optimizer=clipped)
_, found["not clipped"] = train("not clipped", "mlp", optimizer=clipped | {"clip_norm": 0.0})

_, found["bfloat16"] = train("bfloat16", "cnn", precision="mixed_bfloat16", strategy="one_device")
found["policy afterwards"] = keras.config.dtype_policy().name
try:
    train("lowered", "cnn", strategy="mirrored", lowering="always")
except UserError as error:
    found["lowered on replicas"] = str(error)
for model in ("cnn", "resnet"):
    _, found[f"{model} lowered"] = train(f"{model}_lowered", model, lowering="always")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(python, builder, data_dir, tmp_path_factory):
    """What the script saw, on two logical CPU devices."""
    printed = python(SCRIPT, data_dir, tmp_path_factory.mktemp("trainer"))
    return json.loads(printed.splitlines()[-1])


# The columns are epoch, loss, mae, val_loss, val_mae. A bias before a batch normalization has no
# gradient but rounding, which Adam turns into whole steps: it shows in inference, not in the loss.
@pytest.mark.parametrize(("model", "columns"), [("cnn", 5), ("resnet", 3)])
def test_two_replicas_learn_what_one_device_learns(found, model, columns):
    one, two = found[f"{model} one_device"], found[f"{model} mirrored"]
    assert len(one) == len(two) == 2
    for mine, theirs in zip(one, two, strict=True):
        assert theirs[:columns] == pytest.approx(mine[:columns], rel=1e-4)


def test_two_replicas_clip_the_gradient_of_the_whole_batch(found):
    one, two, free = (
        found[name] for name in ("clipped one_device", "clipped mirrored", "not clipped")
    )
    for mine, theirs, unclipped in zip(one, two, free, strict=True):
        assert theirs == pytest.approx(mine, rel=1e-5)
        assert theirs[1] != pytest.approx(unclipped[1], rel=1e-4)


def test_the_moving_statistics_of_all_replicas_agree(found):
    assert len(found["replicas"]) == 12
    for first, second in found["replicas"]:
        assert first == second


def test_mixed_precision_learns_about_the_same_and_ends_with_the_run(found):
    final, reference = found["bfloat16"][-1], found["cnn one_device"][-1]
    assert final == pytest.approx(reference, rel=0.05)
    assert found["policy afterwards"] == "float32"


@pytest.mark.parametrize(("model", "columns"), [("cnn", 5), ("resnet", 3)])
def test_a_lowered_model_learns_what_the_model_learns(found, model, columns):
    for mine, lowered in zip(found[f"{model} one_device"], found[f"{model} lowered"], strict=True):
        assert lowered[:columns] == pytest.approx(mine[:columns], rel=1e-4)


def test_lowering_on_several_replicas_is_refused(found):
    assert "--config.lowering" in found["lowered on replicas"]


def noted(hold, names):
    return lambda split: names.append(split.name) or hold(split)


def test_each_split_is_held_in_memory_if_it_fits_by_itself(builder, tmp_path, monkeypatch):
    held = []
    for how in ("lookup", "in_memory"):
        monkeypatch.setattr(Split, how, noted(getattr(Split, how), held))
    # A quarter of what is free has room for 8 records of 80 kB.
    free = SimpleNamespace(available=4 * 8 * 80_008)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    config = configs.get("mlp")
    config.update({"epochs": 1, "strategy": "one_device"})
    config.model.hidden_units, config.model.dropout = (2,), (0.0,)
    few, many = Split(builder, "train[:5]"), Split(builder, "validation")
    assert many.num_records > 8
    trainer.train(config, few, many, tmp_path / "few")
    assert held == ["train[:5]"]
    held.clear()
    trainer.train(config, many, few, tmp_path / "many")
    assert held == ["train[:5]"]
