"""Intervals hold the part of the labels that was chosen, and go where the label goes."""

import functools

import command
import numpy as np
import pytest
import tensorflow as tf

from tfseq import configs, evaluator, formats, intervals, models
from tfseq.example_gen import Split
from tfseq.saved_model import SavedModel
from tfseq.serving import signatures

COVERAGE = 0.8
WAVEFORMS = np.random.default_rng(0).normal(size=(3, 4, 4000)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    """A model that knows little: what is not learned from data does not matter here."""
    return models.build("mlp", hidden_units=(4,), dropout=0.5)


@pytest.fixture(scope="module")
def half_width(model, builder):
    config = configs.get("mlp")
    config.interval.coverage, config.interval.epochs = COVERAGE, 2
    before = [weight.numpy() for weight in model.weights]
    width = intervals.fit(config, model, Split(builder, "train"), Split(builder, "validation"))
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old, err_msg="the model is left as it is")
    return width


def test_validation_labels_are_held_as_often_as_was_chosen(model, half_width, builder):
    validation = Split(builder, "validation")
    splits = evaluator.evaluate(
        evaluator.predictor(model),
        Split(builder, "train"),
        [validation],
        half_width=evaluator.predictor(half_width),
    )
    waveform, label = (each.numpy() for each in validation.lookup()(np.arange(20)))
    distance = np.abs(evaluator.predictor(model)(waveform) - label)
    half = evaluator.predictor(half_width)(waveform)
    found = splits["validation"]["interval"]
    assert found["coverage"] == pytest.approx((distance <= half).mean(), abs=1e-6)
    assert found["mean_width"] == pytest.approx(2 * half.mean(), rel=1e-5)
    assert found["coverage"] == pytest.approx(COVERAGE, abs=0.005)


def test_half_widths_are_positive_and_begin_near_the_distances(half_width):
    half = evaluator.predictor(half_width)(WAVEFORMS)
    assert half.shape == (3, 4000)
    assert (half > 0).all()


def test_every_signature_answers_the_ends_around_the_label(model, half_width, tmp_path):
    signatures.save(model, tmp_path, half_width=half_width)
    served = tf.saved_model.load(str(tmp_path)).signatures
    label = evaluator.predictor(model)(WAVEFORMS)
    half = evaluator.predictor(half_width)(WAVEFORMS)
    examples = tf.constant([signatures.example(waveform) for waveform in WAVEFORMS])
    answers = {
        "serving_default": served["serving_default"](waveform=tf.constant(WAVEFORMS)),
        "serving_examples": served["serving_examples"](examples=examples),
        "validate": served["validate"](waveform=tf.constant(WAVEFORMS)),
    }
    for answer in answers.values():
        np.testing.assert_allclose(answer["label"], label, atol=1e-5)
        ends = np.stack([label - half, label + half], axis=1)
        np.testing.assert_allclose(answer["interval"], ends, atol=1e-5)
    spoilt = WAVEFORMS.copy()
    spoilt[1, 2, 3] = np.nan
    answer = served["validate"](waveform=tf.constant(spoilt))
    assert answer["valid"].numpy().tolist() == [True, False, True]
    assert np.isfinite(answer["interval"]).all()
    nothing = served["serving_default"](waveform=tf.zeros((0, 4, 4000)))
    assert nothing["interval"].shape == (0, 2, 4000)


def test_a_converted_file_keeps_the_label(model, half_width, tmp_path):
    signatures.save(model, tmp_path, half_width=half_width)
    content, error = formats.convert(SavedModel(tmp_path), tmp_path, "onnx")
    assert error < 1e-5
    assert formats.run_onnx(content, WAVEFORMS).shape == (3, 4000)


@pytest.fixture(scope="module")
def run(builder, data_dir, tmp_path_factory):
    """The folder of a run that gets intervals when it is done, and what that said, twice."""
    folder = tmp_path_factory.mktemp("intervals")
    settings = ("--model=mlp", *command.MODELS["mlp"], *command.RECORDS, "--epochs=1")
    places = (f"--data_dir={data_dir}", "--workdir=run", "--export_dir=exports")
    train = functools.partial(command.run, "train", *settings, *places, cwd=folder)
    train().check()
    widths = (f"--config.interval.coverage={COVERAGE}", "--config.interval.epochs=1")
    return folder, [train(*widths).check() for _ in range(2)]


def test_the_training_command_says_and_writes_what_they_hold(run):
    folder, (first, second) = run
    assert first.stdout.count("intervals hold") == 2
    assert command.read_json(folder / "run" / "evaluation.json")["splits"]["validation"][
        "interval"
    ]["coverage"] == pytest.approx(COVERAGE, abs=0.01)
    scores = [line for line in first.stdout.splitlines() if "intervals hold" in line]
    assert scores == [line for line in second.stdout.splitlines() if "intervals hold" in line]
    assert first.stderr == second.stderr == ""
    versions = {path.name for path in (folder / "exports" / "mlp").glob("[0-9]*")}
    assert versions == {"1", "2"}  # without intervals, and with


def test_the_exported_intervals_are_scored_alike(run, data_dir):
    folder, (first, _) = run
    done = command.run(
        "evaluate",
        "--saved_model=exports/mlp/2",
        "--dataset=simulated_emg",
        f"--data_dir={data_dir}",
        cwd=folder,
    ).check()
    (scored,) = [line for line in done.stdout.splitlines() if "intervals hold" in line]
    assert scored in first.stdout


def test_intervals_of_records_in_a_file(run):
    folder, _ = run
    np.save(folder / "x.npy", WAVEFORMS)
    files = ("--input=x.npy", "--output=y.npy", "--interval_output=ends.npy")
    command.run("predict", "--saved_model=exports/mlp/2", *files, cwd=folder).check()
    label, ends = np.load(folder / "y.npy"), np.load(folder / "ends.npy")
    assert ends.shape == (3, 2, 4000)
    np.testing.assert_allclose(ends.mean(axis=1), label, atol=1e-5)
    assert (ends[:, 0] < ends[:, 1]).all()


def test_a_model_without_intervals_is_named(trained, tmp_path):
    export_dir = trained("mlp").result().export_dir
    np.save(tmp_path / "x.npy", WAVEFORMS)
    files = ("--input=x.npy", "--output=y.npy", "--interval_output=ends.npy")
    done = command.run("predict", f"--saved_model={export_dir}/mlp/1", *files, cwd=tmp_path)
    assert "--interval_output" in done.refusal()
    assert "--config.interval.coverage" in done.stderr
    assert not (tmp_path / "y.npy").exists()
