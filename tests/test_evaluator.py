"""Scores are those of plain numpy, and evaluation.json has the form that others rely on."""

import json

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfseq import evaluator, models
from tfseq.errors import UserError
from tfseq.example_gen import Split

BASELINES = ("zero", "mean", "step_mean", "linear")


def guess(waveform):
    """A predictor that is wrong in its own way for every step."""
    return (9 * waveform[:, 0] + waveform[:, 2] ** 2).astype(np.float32)


def arrays(builder, split):
    records = list(tfds.as_numpy(builder.as_dataset(split=split)))
    return [np.stack([record[field] for record in records]) for field in ("waveform", "label")]


def metrics(predicted, label):
    label = label.astype(np.float64)
    error = predicted - label
    return {
        "mse": np.mean(error**2),
        "mae": np.mean(np.abs(error)),
        "r2": 1 - np.sum(error**2) / np.sum((label - label.mean()) ** 2),
    }


def expected_baselines(training, waveform):
    train_waveform, train_label = (array.astype(np.float64) for array in training)

    def design(waveform):
        columns = np.moveaxis(waveform, 1, -1).reshape(-1, waveform.shape[1])
        return np.column_stack([columns, np.ones(len(columns))])

    weights = np.linalg.lstsq(design(train_waveform), train_label.reshape(-1), rcond=None)[0]
    return {
        "zero": 0.0,
        "mean": train_label.mean(),
        "step_mean": train_label.mean(axis=0),
        "linear": (design(waveform.astype(np.float64)) @ weights).reshape(len(waveform), -1),
    }


@pytest.fixture(scope="module")
def splits(builder):
    scored = [Split(builder, "validation"), Split(builder, "test[:7]")]
    return evaluator.evaluate(guess, Split(builder, "train"), scored, batch_size=6)


@pytest.mark.parametrize(("split", "count"), [("validation", 20), ("test[:7]", 7)])
def test_metrics_of_model_and_baselines_are_those_of_numpy(split, count, splits, builder):
    waveform, label = arrays(builder, split)
    scores = splits[split]
    assert scores["records"] == len(label) == count
    assert scores["metrics"] == pytest.approx(metrics(guess(waveform), label), abs=1e-9)
    expected = expected_baselines(arrays(builder, "train"), waveform)
    assert set(scores["baselines"]) == set(BASELINES)
    for name, prediction in expected.items():
        assert scores["baselines"][name] == pytest.approx(metrics(prediction, label), abs=1e-9)


def test_the_size_of_a_batch_does_not_matter(splits, builder):
    scored = [Split(builder, "test[:7]")]
    again = evaluator.evaluate(guess, Split(builder, "train"), scored, batch_size=50)
    assert again["test[:7]"]["metrics"] == pytest.approx(splits["test[:7]"]["metrics"], abs=1e-9)


def test_errors_of_parts_merge_to_those_of_the_whole(builder):
    waveform, label = arrays(builder, "test")
    whole, first, second = evaluator.Errors(), evaluator.Errors(), evaluator.Errors()
    whole.add(guess(waveform), label)
    first.add(guess(waveform[:3]), label[:3])
    second.add(guess(waveform[3:]), label[3:])
    first.merge(second)
    assert first.metrics() == pytest.approx(whole.metrics(), rel=1e-12)


def test_baselines_are_fitted_to_the_training_records_alone(builder):
    scored = [Split(builder, "test")]
    few = evaluator.evaluate(guess, Split(builder, "train[:5]"), scored)["test"]["baselines"]
    _, label = arrays(builder, "test")
    _, fitted_to = arrays(builder, "train[:5]")
    step_mean = fitted_to.astype(np.float64).mean(axis=0)
    assert few["step_mean"] == pytest.approx(metrics(step_mean, label), abs=1e-9)


@pytest.mark.parametrize(("error", "r2"), [(0.0, 1.0), (1.0, 0.0)])
def test_labels_that_do_not_vary_have_an_r2_that_json_can_hold(error, r2):
    errors = evaluator.Errors()
    errors.add(np.full((2, 5), 3.0 + error), np.full((2, 5), 3.0))
    assert errors.metrics()["r2"] == r2


@pytest.mark.parametrize("constant", [0.1, 333.33334, -0.7])
def test_rounding_makes_no_spread_of_labels_that_do_not_vary(constant):
    label = np.full((100, 4000), constant, np.float32)
    merged = evaluator.Errors()
    for part in (label[:30], label[30:]):
        errors = evaluator.Errors()
        errors.add(part + 0.01, part)
        merged.merge(errors)
    assert merged.metrics()["r2"] == 0.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_predictions_that_are_not_finite_are_refused_by_the_split(wrong, builder):
    def broken(waveform):
        return np.where(np.arange(4000) == 17, wrong, guess(waveform))

    with pytest.raises(UserError, match=r"predictions on split validation are not finite"):
        evaluator.evaluate(broken, Split(builder, "train"), [Split(builder, "validation")])


def test_a_model_predicts_as_in_inference_whatever_the_batch():
    keras.utils.set_random_seed(0)
    model = models.build("cnn", waveform_shape=(4, 40), dropout=0.5)
    predict = evaluator.predictor(model)
    waveform = np.random.default_rng(0).normal(size=(5, 4, 40)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(waveform, training=False))
    for batch in (slice(0, 5), slice(0, 2), slice(4, 5)):
        label = predict(waveform[batch])
        assert (type(label), label.dtype) == (np.ndarray, np.float32)
        np.testing.assert_allclose(label, expected[batch], rtol=0, atol=1e-6)


def summary(splits, **names):
    names = {"model": "cnn", "dataset": "simulated_emg", "export": "saved_models/cnn/1"} | names
    return evaluator.summary(splits, **names)


def test_evaluation_json_has_the_form_that_others_read(splits, tmp_path):
    path = tmp_path / "run" / "evaluation.json"
    evaluator.write(summary(splits), path)
    written = json.loads(path.read_text(encoding="utf-8"))
    assert list(written) == [
        "model",
        "dataset",
        "split",
        "metrics",
        "baselines",
        "splits",
        "export",
    ]
    assert written == evaluator.read(path) == summary(splits)
    assert (written["model"], written["dataset"]) == ("cnn", "simulated_emg")
    assert written["export"] == "saved_models/cnn/1"
    assert set(written["metrics"]) == {"mse", "mae", "r2"}
    assert {name: set(values) for name, values in written["baselines"].items()} == {
        name: {"mse", "mae", "r2"} for name in BASELINES
    }
    for scores in written["splits"].values():
        assert set(scores) == {"records", "metrics", "baselines"}
    assert [file.name for file in path.parent.iterdir()] == ["evaluation.json"]


def test_the_scores_on_top_are_those_of_test_where_there_is_one(splits):
    assert list(splits) == ["validation", "test[:7]"]
    backwards = dict(reversed(splits.items()))
    for each in (splits, backwards):
        assert summary(each)["split"] == "test[:7]"
        assert summary(each)["metrics"] == splits["test[:7]"]["metrics"]
        assert summary(each)["baselines"] == splits["test[:7]"]["baselines"]
    # A part of it may have chosen the best epoch.
    assert summary(splits | {"test": splits["validation"]})["split"] == "test"
    validation = {"validation": splits["validation"]}
    assert summary(validation)["split"] == "validation"
    assert summary(validation)["metrics"] == splits["validation"]["metrics"]


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not JSON"), ("[]", "is not what tfseq writes")]
)
def test_a_damaged_evaluation_is_named(content, message, tmp_path):
    path = tmp_path / "evaluation.json"
    path.write_text(content)
    with pytest.raises(UserError, match=f"evaluation.json {message}"):
        evaluator.read(path)


def test_the_table_shows_every_number_of_every_split(splits):
    table = evaluator.table(summary(splits))
    head, *rest = table.splitlines()
    assert head.split() == ["simulated_emg,", "validation", "(20", "records)", "mse", "mae", "r2"]
    assert "simulated_emg, test[:7] (7 records)" in table
    titles = [
        "cnn",
        "predict zero",
        "predict the mean",
        "mean of each step",
        "linear, step by step",
    ]
    rows = [line.strip() for line in rest if line.startswith("  ")]
    expected = [
        (title, scores)
        for split in splits.values()
        for title, scores in zip(
            titles,
            [split["metrics"], *(split["baselines"][name] for name in BASELINES)],
            strict=True,
        )
    ]
    assert len(rows) == len(expected)
    for row, (title, scores) in zip(rows, expected, strict=True):
        assert row.startswith(f"{title}  ")
        numbers = [f"{scores[metric]:.4f}" for metric in ("mse", "mae", "r2")]
        assert row.removeprefix(title).split() == numbers
