"""Bad records, a bad model and a TFX that is not whole end where they are found."""

import re

import command
import numpy as np
import pipelines
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from tfseq import schema
from tfseq.tfx import installation


def test_a_model_that_learned_nothing_is_not_pushed_though_it_was_tuned(
    builder, data_dir, tmp_path
):
    run = pipelines.run(
        tmp_path,
        *("--model=cnn", "--epochs=1", *pipelines.SMALL, f"--data_dir={data_dir}"),
        *("--tuner=random", "--max_trials=1"),
    )
    stdout = run.finished.check().stdout
    assert stdout.endswith(
        "Not pushed: the model's error is not below that of predicting the mean.\n"
    )
    assert run.pushed() == []
    done = pipelines.states(run)
    assert done["Tuner"] == done["Trainer"] == done["Evaluator"] == done["Pusher"] == "done"
    assert (run.output("Evaluator", "blessing") / "NOT_BLESSED").is_file()
    trials = [line for line in stdout.splitlines() if "best validation loss" in line]
    assert len(trials) == 2  # the settings themselves, and one that was chosen

    best = command.read_json(
        run.output("Tuner", "best_hyperparameters") / "best_hyperparameters.txt"
    )
    trained = command.read_json(run.output("Trainer", "model_run") / "config.json")
    assert trained["optimizer"]["name"] == best["values"]["optimizer.name"]
    assert trained["optimizer"]["learning_rate"] == best["values"]["optimizer.learning_rate"]
    scores = [float(line.split("best validation loss ")[1].split()[0]) for line in trials]
    history = run.output("Trainer", "model_run") / "logs" / "history.csv"
    losses = np.genfromtxt(history, delimiter=",", names=True)
    assert float(losses["val_loss"]) == pytest.approx(min(scores), rel=1e-3)


def test_records_that_the_schema_does_not_allow_end_the_pipeline_before_it_trains(tmp_path):
    random = np.random.default_rng(0)
    waveforms = random.normal(size=(40, 4, 4000)).astype(np.float32)
    labels = random.uniform(0, 4, (40, 4000)).astype(np.float32)
    waveforms[:, 1, 7] = np.nan
    labels[:, 3] = 9
    (tmp_path / "sets").mkdir()
    np.savez(tmp_path / "sets" / "set1.npz", x=waveforms, y=labels)
    run = pipelines.run(
        tmp_path,
        *("--model=cnn", "--dataset=record_sets", "--manual_dir=sets", "--data_dir=data"),
        "--config.dataset.allow_nonfinite=true",
        "--config.dataset.allow_out_of_range=true",
    )
    refusal = run.finished.refusal()
    assert "the ExampleValidator refuses the records" in refusal
    assert "train, waveform: Float feature has NaN values" in refusal
    assert "validation, label: Unexpectedly high value: 9>4" in refusal
    path = run.output("ExampleValidator", "anomalies") / "Split-train" / "SchemaDiff.pb"
    anomalies = anomalies_pb2.Anomalies.FromString(path.read_bytes())
    assert set(anomalies.anomaly_info) == {"waveform", "label"}
    assert str(path.parents[1].relative_to(run.folder)) in refusal
    assert not (run.folder / "root" / "Transform").exists()
    assert run.pushed() == []


def test_records_of_another_size_need_a_schema_of_theirs(tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "sets").mkdir()
    records = {"x": random.normal(size=(40, 2, 80)), "y": random.uniform(0, 4, (40, 80))}
    np.savez(tmp_path / "sets" / "set1.npz", **records)
    own = schema.PATH.read_text(encoding="utf-8")
    for name, size in (("steps", 80), ("channels", 2)):
        own = re.sub(rf'name: "{name}" size: \d+', f'name: "{name}" size: {size}', own)
    (tmp_path / "own.pbtxt").write_text(own, encoding="utf-8")
    given = (
        *("--model=mlp", "--config.model.hidden_units=8,8,8", "--epochs=1"),
        *("--dataset=record_sets", "--manual_dir=sets", "--data_dir=data"),
    )
    refusal = pipelines.run(tmp_path, *given).finished.refusal()
    assert "train, waveform:" in refusal
    fitting = pipelines.run(tmp_path, *given, "--schema=own.pbtxt")
    assert "Not pushed" in fitting.finished.check().stdout


def broken(folder, package):
    """A folder whose `package` cannot be imported."""
    folder.mkdir()
    text = f'raise ImportError("{package} is broken on purpose")\n'
    (folder / f"{package}.py").write_text(text, encoding="utf-8")
    return str(folder)


def test_a_component_that_tfx_replaced_by_none_is_named_with_its_cause(tmp_path):
    environment = {"PYTHONPATH": broken(tmp_path / "broken", "kubernetes")}
    run = pipelines.run(tmp_path, "--model=cnn", "--infra_validator", **environment)
    refusal = run.finished.refusal()
    assert "without its component InfraValidator (kubernetes is broken on purpose)" in refusal
    assert "`make tfx`" in refusal


def test_a_package_that_tfx_needs_is_named(tmp_path):
    environment = {"PYTHONPATH": broken(tmp_path / "broken", "ml_metadata")}
    refusal = pipelines.run(tmp_path, "--model=cnn", **environment).finished.refusal()
    assert "ml_metadata is broken on purpose" in refusal
    assert "`make tfx`" in refusal


@pytest.mark.parametrize("name", installation.OPTIONAL)
def test_this_tfx_is_whole(name):
    installation.require([name])
