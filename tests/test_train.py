"""A whole run of the training command, for every model and every data set."""

import csv
from pathlib import Path

import command
import numpy as np
import pytest
import tensorflow as tf

from tfseq.example_gen import Split, evaluation_batches

BASELINES = {
    "zero": "predict zero",
    "mean": "predict the mean",
    "step_mean": "mean of each step",
    "linear": "linear, step by step",
}
METRICS = ("mse", "mae", "r2")
REAL_DATA = Path(__file__).parents[2] / "shared" / "data" / "emg_lower_limb"


@pytest.fixture(scope="module", params=command.MODELS)
def run(request, trained):
    """A finished run of each model; all are started at once."""
    for model in command.MODELS:
        trained(model)
    return trained(request.param).result()


def evaluation_of(run):
    return command.read_json(run.workdir / "evaluation.json")


def test_a_run_succeeds_in_silence(run):
    run.finished.check()
    assert run.finished.stderr == ""


def test_the_workdir_holds_settings_logs_and_checkpoints(run):
    assert {path.name for path in run.workdir.iterdir()} == {
        "config.json",
        "data.json",
        "logs",
        "checkpoints",
        "evaluation.json",
    }
    config = command.read_json(run.workdir / "config.json")
    assert (config["model"]["name"], config["epochs"], config["batch_size"]) == (run.model, 2, 16)
    rows = list(csv.DictReader((run.workdir / "logs" / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert np.isfinite([float(row[key]) for row in rows for key in ("loss", "val_loss")]).all()
    assert list((run.workdir / "logs" / "train").glob("events.out.tfevents.*"))


def test_the_checkpoints_are_models_that_keras_loads(run):
    import keras

    from tfseq import transform  # noqa: F401 - registers a layer

    files = sorted((run.workdir / "checkpoints").iterdir())
    assert [path.name for path in files] == ["best.keras", "last.keras", "previous.keras"]
    for path in files:
        model = keras.models.load_model(path)
        assert model.name == run.model
        assert model.output_shape == (None, 4000)


def test_the_evaluation_is_of_the_agreed_form(run):
    evaluation = evaluation_of(run)
    assert list(evaluation) == [
        "model",
        "dataset",
        "split",
        "metrics",
        "baselines",
        "splits",
        "export",
    ]
    assert evaluation["model"] == run.model
    assert evaluation["dataset"] == "simulated_emg"
    assert evaluation["split"] == "test"
    assert list(evaluation["splits"]) == ["validation", "test"]
    for scores in (evaluation, *evaluation["splits"].values()):
        assert tuple(scores["metrics"]) == METRICS
        assert tuple(scores["baselines"]) == tuple(BASELINES)
        each = [scores["metrics"], *scores["baselines"].values()]
        assert np.isfinite([[metrics[key] for key in METRICS] for metrics in each]).all()
    for key in ("metrics", "baselines"):
        assert evaluation[key] == evaluation["splits"]["test"][key]


def test_the_output_ends_in_the_results_and_names_the_export(run):
    evaluation = evaluation_of(run)
    printed = command.tables(run.finished.stdout)
    assert list(printed) == ["validation", "test"]
    for split, rows in printed.items():
        scores = evaluation["splits"][split]
        expected = {run.model: scores["metrics"]}
        expected |= {BASELINES[name]: metrics for name, metrics in scores["baselines"].items()}
        assert list(rows) == list(expected)
        for title, metrics in expected.items():
            assert rows[title] == pytest.approx([metrics[key] for key in METRICS], abs=5.1e-5)
    last_line = run.finished.stdout.splitlines()[-1]
    assert last_line.endswith(evaluation["export"])


def test_there_is_one_line_an_epoch_where_no_terminal_is(run):
    lines = run.finished.stdout.splitlines()
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/2", "2/2"]
    assert all("val_loss" in line for line in epochs)
    assert not {"\r", "\b", "\x1b"} & set(run.finished.stdout)


def test_the_export_is_the_model_that_was_measured(run, builder):
    evaluation = evaluation_of(run)
    export = run.export_dir.parent / evaluation["export"]
    assert export == run.export_dir / run.model / "1"
    beside = command.read_json(export / "evaluation.json")
    assert beside["splits"] == evaluation["splits"]
    assert command.read_json(export / "config.json") == command.read_json(
        run.workdir / "config.json"
    )
    serve = tf.saved_model.load(str(export)).signatures["serving_default"]
    squared = []
    for waveform, label in evaluation_batches(Split(builder, "test"), batch_size=7):
        predicted = serve(waveform=waveform)["label"]
        squared.append(np.square(predicted.numpy() - label.numpy(), dtype=np.float64).ravel())
    assert np.concatenate(squared).mean() == pytest.approx(evaluation["metrics"]["mse"], rel=1e-5)


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the recordings are not at ../shared/data")
def test_real_recordings_are_measured_on_validation(tmp_path):
    command.run(
        "train",
        "--dataset=emg_lower_limb",
        f"--manual_dir={REAL_DATA}",
        "--data_dir=data",
        "--config.data.train_split=train[:32]",
        "--epochs=1",
        "--batch_size=16",
        cwd=tmp_path,
    ).check()
    evaluation = command.read_json(tmp_path / "runs" / "emg_lower_limb" / "cnn" / "evaluation.json")
    assert evaluation["split"] == "validation"
    assert list(evaluation["splits"]) == ["validation"]
    assert evaluation["metrics"]["mse"] < evaluation["baselines"]["zero"]["mse"]
    assert (tmp_path / evaluation["export"] / "saved_model.pb").is_file()


@pytest.fixture(scope="module")
def record_sets(tmp_path_factory):
    """Sets of 2 channels and 1000 steps with labels from 0 to 100, and the flags that name them."""
    folder = tmp_path_factory.mktemp("record_sets")
    random = np.random.default_rng(0)
    label = random.uniform(0, 100, (60, 1000))
    np.savez(folder / "set1.npz", x=random.normal(size=(60, 2, 1000)), y=label)
    return (
        "--dataset=record_sets",
        f"--manual_dir={folder}",
        f"--data_dir={folder / 'data'}",
        "--config.dataset.label_range=0,100",
        "--epochs=1",
    )


def test_an_mlp_takes_records_of_any_size_and_labels_of_any_range(record_sets, tmp_path):
    units = "--config.model.hidden_units=32,16,8"
    command.run("train", "--model=mlp", units, *record_sets, cwd=tmp_path).check()
    evaluation = command.read_json(tmp_path / "runs" / "record_sets" / "mlp" / "evaluation.json")
    assert evaluation["split"] == "test"
    # The labels are uniform over 0..100: 100 ** 2 / 3 and 100 ** 2 / 12.
    assert evaluation["baselines"]["zero"]["mse"] == pytest.approx(3333, rel=0.05)
    assert evaluation["baselines"]["mean"]["mse"] == pytest.approx(833, rel=0.05)
    serve = tf.saved_model.load(str(tmp_path / evaluation["export"])).signatures["serving_default"]
    assert serve(waveform=np.zeros((3, 2, 1000), np.float32))["label"].shape == (3, 1000)


def test_a_cnn_refuses_a_size_that_it_cannot_have_and_says_which_it_can(record_sets, tmp_path):
    message = command.run("train", "--model=cnn", *record_sets, cwd=tmp_path).refusal()
    assert "2 channels x 1000 steps" in message
    assert "4 channels and a multiple of 4 steps" in message
    assert "fewer filters and --config.model.classifier=true" in message
    assert not list(tmp_path.iterdir())
