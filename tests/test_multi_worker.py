"""Two workers learn what one process learns, and stop if they do not agree."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cluster
import command
import pytest

SCRIPT = """
import hashlib, json, sys
from pathlib import Path

from tfseq import cli, configs, workers

cli.import_tensorflow()

data_dir, workdir, strategy, *models = sys.argv[1:]
changes = {"strategy": strategy, "epochs": 2, "batch_size": 7}
config = configs.get("cnn")
config.update(changes)
team = workers.of(config)

import keras
import tensorflow as tf
from tfseq import datasets, trainer, training_step
from tfseq.example_gen import Split

builder = datasets.load(
    "simulated_emg", data_dir=data_dir, train_records=50, validation_records=20, test_records=20
)
digests = {}
for model in models:
    config = configs.get(model)
    # Adam would turn the rounding of gradients that are 0 into whole steps.
    optimizer = {"name": "sgd", "learning_rate": 1e-3, "momentum": 0.9, "clip_norm": 1.0}
    config.update(changes | {"optimizer": optimizer})
    if "dropout" in config.model:
        given = config.model.dropout
        config.model.dropout = (0.0,) * len(given) if isinstance(given, tuple) else 0.0
    if model == "mlp":
        config.model.hidden_units = (32, 16, 8)
    folder = Path(workdir, model)
    # 22 records in batches of 7: the last one has a single record.
    splits = Split(builder, "train[:22]"), Split(builder, "validation[:10]")
    trained = trainer.train(config, *splits, folder).model
    if team.writes:
        trained = keras.models.load_model(folder / "checkpoints" / "last.keras")
    values = b"".join(weight.numpy().tobytes() for weight in trained.weights)
    digests[model] = hashlib.sha256(values).hexdigest()
with team.strategy.scope():
    inputs = keras.Input((64,))
    dropped = keras.layers.Dropout(0.5, seed=1)(keras.layers.Dense(64)(inputs))
    model = keras.Model(inputs, dropped)
    model.compile("sgd", "mse")
    training_step.to_fit(model, config, 1, team.strategy)
drawn = team.strategy.run(tf.function(lambda: model(tf.ones((1, 64)), training=True)))
mask = team.strategy.experimental_local_results(drawn)[0].numpy() != 0
print(json.dumps(digests | {"mask": mask.tolist()}))
"""


@pytest.fixture(scope="module")
def trained(builder, data_dir, tmp_path_factory):
    """The folders of one process and of two workers, and what these printed of their weights."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "chief", "worker")]
    addresses = cluster.addresses(2)
    started = []
    for folder, *place in ((folders[0],), (folders[1], 0), (folders[2], 1)):
        changes = {"TF_CONFIG": cluster.tf_config(addresses, *place)} if place else {}
        strategy = "multi_worker" if place else "one_device"
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT, data_dir, folder, strategy, *command.REPORT],
                env=command.environment(**changes),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    printed = [command.finish(each).check().stdout.splitlines()[-1] for each in started]
    return folders, [json.loads(each) for each in printed]


def history(folder, model):
    rows = (folder / model / "logs" / "history.csv").read_text().splitlines()[1:]
    return [[float(value) for value in row.split(",")] for row in rows]


# The columns are epoch, loss, mae, val_loss, val_mae. What conv_ae's last normalization divides by
# has a variance near 1e-6, far below its epsilon: there float32 itself is 7e-5 off float64.
@pytest.mark.parametrize(
    ("model", "tolerance"), [("mlp", 1e-5), ("cnn", 1e-5), ("resnet", 1e-5), ("conv_ae", 1e-4)]
)
def test_two_workers_learn_what_one_process_learns(model, tolerance, trained):
    one, chief, _ = trained[0]
    assert len(history(one, model)) == 2
    for mine, theirs in zip(history(one, model), history(chief, model), strict=True):
        assert theirs == pytest.approx(mine, rel=tolerance)


@pytest.mark.parametrize("model", command.REPORT)
def test_the_workers_end_with_the_same_weights_to_the_bit(model, trained):
    _, chief, worker = trained[1]
    assert chief[model] == worker[model]


def test_each_worker_draws_dropout_masks_of_its_own(trained):
    _, chief, worker = trained[1]
    assert chief["mask"] != worker["mask"]


def test_only_the_chief_writes(trained):
    _, chief, worker = trained[0]
    assert not list(worker.iterdir())
    assert sorted(path.name for path in (chief / "cnn").iterdir()) == [
        "checkpoints",
        "config.json",
        "data.json",
        "logs",
    ]


def test_workers_with_other_settings_stop_and_say_which(builder, data_dir, tmp_path):
    flags = (*command.RECORDS, f"--data_dir={data_dir}", "--workdir=run", "--export_dir=exports")
    both = cluster.run(tmp_path, *flags, each=((), ("--seed=3",)))
    for finished in both:
        message = finished.refusal()
        assert "the workers differ in --config.seed: worker 0 (127.0.0.1:" in message
        assert "has 0, worker 1 (127.0.0.1:" in message
        assert message.endswith("has 3\n")
    assert not list(tmp_path.iterdir())


def test_workers_with_other_records_stop_and_say_which(builder, data_dir, tmp_path):
    flags = (*command.RECORDS, "--workdir=run", "--export_dir=exports", "--config.data.cache=never")
    copy = tmp_path / "copy"
    shutil.copytree(data_dir, copy)
    path = next(copy.glob(f"**/{Path(builder.data_dir).parent.name}/**/*-train.tfrecord*"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # the checksum of the last record
    path.write_bytes(content)
    places = ((f"--data_dir={data_dir}",), (f"--data_dir={copy}",))
    for finished in cluster.run(tmp_path, *flags, each=places):
        assert "the workers differ in the records of split train: " in finished.refusal()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        "[]",
        '{"cluster": {"worker": ["127.0.0.1:4000"]}}',
        '{"cluster": {"worker": ["127.0.0.1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["127.0.0.1:99999"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["127.0.0.1:-1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["127.0.0.1:4000"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["127.0.0.1:4000"]}, "task": {"type": "worker", "index": 1e999}}',
        '{"cluster": {"ps": ["127.0.0.1:4000"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_tf_config_that_is_none_is_refused(given, monkeypatch):
    from tfseq import multi_worker
    from tfseq.errors import UserError

    monkeypatch.setenv("TF_CONFIG", given)
    with pytest.raises(UserError, match=r"TF_CONFIG.*task") as refused:
        multi_worker.cluster()
    assert "\n" not in str(refused.value)


def test_a_worker_that_never_appears_is_named(tmp_path):
    here, missing = cluster.addresses(2)
    finished = command.run(
        "train",
        "--config.strategy=multi_worker",
        "--config.multi_worker.wait_seconds=1",
        cwd=tmp_path,
        TF_CONFIG=cluster.tf_config([here, missing], 0),
    )
    message = finished.refusal()
    assert f"worker 0 ({here}) waited 1 seconds for {missing};" in message
    assert "--config.multi_worker.wait_seconds" in message
    assert not list(tmp_path.iterdir())
