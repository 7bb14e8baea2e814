"""Measures a model beside the trivial baselines, split by split."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseq import atomic_file, baselines, json_file
from tfseq.errors import UserError
from tfseq.example_gen import Split, evaluation_batches
from tfseq.models import lowering

Predictor = Callable[[np.ndarray], np.ndarray]
"""Maps waveforms (batch, channels, steps) to labels, or half widths, (batch, steps)."""


class Errors:
    """Streaming errors of predictions against labels, in float64."""

    def __init__(self) -> None:
        self._count = 0
        self._squared = self._absolute = 0.0
        self._mean = self._spread = 0.0  # of the labels: the latter is their squared deviation

    def add(self, predicted: np.ndarray, label: np.ndarray) -> None:
        """Adds some records: what was predicted broadcasts to the labels."""
        label = label.astype(np.float64)
        error = predicted - label
        self._squared += np.square(error).sum()
        self._absolute += np.abs(error).sum()
        # About a value of theirs: labels that do not vary have a spread of exactly 0.
        shifted = label - label.flat[0]
        spread = np.square(shifted).sum() - shifted.sum() ** 2 / shifted.size
        self._add_labels(error.size, label.flat[0] + shifted.mean(), spread)

    def merge(self, other: "Errors") -> None:
        """Adds the records that another has seen."""
        self._squared += other._squared
        self._absolute += other._absolute
        self._add_labels(other._count, other._mean, other._spread)

    def _add_labels(self, count: int, mean: float, spread: float) -> None:
        """Combines moments (Chan, Golub and LeVeque, 1979)."""
        part, apart = count / max(self._count + count, 1), mean - self._mean
        self._spread += spread + apart**2 * part * self._count
        self._mean += apart * part
        self._count += count

    def metrics(self) -> dict[str, float]:
        """Returns mse, mae and r2, see `evaluate`."""
        varies = self._spread > 0
        return {
            "mse": self._squared / self._count,
            "mae": self._absolute / self._count,
            "r2": 1.0 - self._squared / self._spread if varies else float(not self._squared),
        }


class _Coverage:
    """How many labels lie in their intervals, and how wide those are."""

    def __init__(self) -> None:
        self._count = self._within = 0
        self._widths = 0.0

    def add(self, predicted: np.ndarray, half_width: np.ndarray, label: np.ndarray) -> None:
        self._count += label.size
        self._within += int((np.abs(predicted - label) <= half_width).sum())
        self._widths += 2.0 * float(half_width.sum(dtype=np.float64))

    def metrics(self) -> dict[str, float]:
        return {"coverage": self._within / self._count, "mean_width": self._widths / self._count}


def predictor(model: keras.Model) -> Predictor:
    """Returns the model's inference function: waveforms (batch, channels, steps) to labels."""
    network = lowering.inference(model)
    batch = tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32)
    infer = tf.function(lambda waveform: network(waveform, training=False), input_signature=[batch])
    # TensorFlow warns where several predictors of a process are traced one by one.
    traced = infer.get_concrete_function()
    return lambda waveform: traced(tf.convert_to_tensor(waveform, tf.float32)).numpy()


def evaluate(
    predict: Predictor,
    training: Split,
    scored: Iterable[Split],
    *,
    half_width: Predictor | None = None,
    batch_size: int = 128,
) -> dict[str, dict[str, Any]]:
    """Scores a model and the baselines.

    Args:
        predict: Maps waveforms (batch, channels, steps) to labels (batch, steps).
        training: The records that the baselines are fitted to.
        scored: The splits to score.
        half_width: Half the widths of the intervals around the labels, if there are any.
        batch_size: Records a call of `predict`.

    Returns:
        By split: `records`, `metrics` of the model and `baselines` with the metrics of each;
        metrics are `mse`, `mae` and `r2` (1 - squared error / squared deviation from the split's
        mean; where labels do not vary, 1 for no error and 0 otherwise). With intervals also
        `interval`: the part of the labels that they hold, `coverage`, and their `mean_width`.

    Raises:
        UserError: If the model's predictions are not finite.
    """
    fitted = baselines.fit(evaluation_batches(training, batch_size).as_numpy_iterator())
    return {split.name: _score(predict, half_width, fitted, split, batch_size) for split in scored}


def _score(
    predict: Predictor,
    half_width: Predictor | None,
    fitted: dict[str, baselines.Predictor],
    split: Split,
    batch_size: int,
) -> dict[str, Any]:
    predictors = {"model": predict, **fitted}
    errors = {name: Errors() for name in predictors}
    intervals = _Coverage()
    for waveform, label in evaluation_batches(split, batch_size).as_numpy_iterator():
        predicted = {name: predictor(waveform) for name, predictor in predictors.items()}
        for name, labels in predicted.items():
            errors[name].add(labels, label)
        if half_width:
            intervals.add(predicted["model"], half_width(waveform), label)
    metrics = {name: error.metrics() for name, error in errors.items()}
    if not np.isfinite(metrics["model"]["mse"]):
        raise UserError(f"the model's predictions on split {split.name} are not finite")
    return {
        "records": split.num_records,
        "metrics": metrics.pop("model"),
        "baselines": metrics,
        **({"interval": intervals.metrics()} if half_width else {}),
    }


def summary(
    splits: dict[str, dict[str, Any]], *, model: str, dataset: str, export: str | None
) -> dict[str, Any]:
    """Returns what evaluation.json holds; on top the scores of test, else of the last split."""
    tests = [name for name in splits if name.partition("[")[0] == "test"]
    split = "test" if "test" in tests else (tests or list(splits))[-1]
    return {
        "model": model,
        "dataset": dataset,
        "split": split,
        "metrics": splits[split]["metrics"],
        "baselines": splits[split]["baselines"],
        "splits": splits,
        "export": export,
    }


def write(evaluation: dict[str, Any], path: Path) -> None:
    """Writes evaluation.json, whole or not at all."""
    atomic_file.write(path, json.dumps(evaluation, indent=2) + "\n")


def read(path: Path) -> dict[str, Any]:
    """Returns what `write` has written.

    Raises:
        UserError: If the file holds something else.
    """
    evaluation = json_file.read(path)
    if not isinstance(evaluation, dict) or "splits" not in evaluation:
        raise UserError(f"{path} is not what tfseq writes; remove it, and it is made again")
    return evaluation


def table(evaluation: dict[str, Any]) -> str:
    """Returns the results as text: the model beside the baselines, for every split."""
    lines = []
    for name, scores in evaluation["splits"].items():
        title = f"{evaluation['dataset']}, {name} ({scores['records']} records)"
        lines += ["", f"{title:<44}{'mse':>10}{'mae':>10}{'r2':>10}"]
        rows = {evaluation["model"]: scores["metrics"]}
        rows |= {baselines.TITLES[key]: value for key, value in scores["baselines"].items()}
        for row, metrics in rows.items():
            values = "".join(f"{metrics[key]:>10.4f}" for key in ("mse", "mae", "r2"))
            lines.append(f"  {row:<42}{values}")
        if interval := scores.get("interval"):
            lines.append(
                f"  intervals hold {100 * interval['coverage']:.1f} % of the labels; mean width "
                f"{interval['mean_width']:.4g}"
            )
    return "\n".join(lines[1:])
