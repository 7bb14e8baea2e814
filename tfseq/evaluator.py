"""Measures a model beside the trivial baselines, split by split."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseq import baselines
from tfseq.errors import UserError
from tfseq.example_gen import Split, evaluation_batches
from tfseq.models import lowering


class Errors:
    """Streaming errors of predictions against labels, in float64."""

    def __init__(self) -> None:
        self._count = 0
        self._squared = self._absolute = self._labels = self._squared_labels = 0.0

    def add(self, predicted: np.ndarray, label: np.ndarray) -> None:
        """Adds some records: what was predicted broadcasts to the labels."""
        label = label.astype(np.float64)
        error = predicted - label
        self._count += error.size
        self._squared += np.square(error).sum()
        self._absolute += np.abs(error).sum()
        self._labels += label.sum()
        self._squared_labels += np.square(label).sum()

    def merge(self, other: "Errors") -> None:
        """Adds the records that another has seen."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def metrics(self) -> dict[str, float]:
        """Returns mse, mae and r2, see `evaluate`."""
        spread = self._squared_labels - self._labels**2 / self._count
        return {
            "mse": self._squared / self._count,
            "mae": self._absolute / self._count,
            "r2": 1.0 - self._squared / spread if spread > 0 else float(not self._squared),
        }


def predictor(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the model's inference function: waveforms (batch, channels, steps) to labels."""
    network = lowering.inference(model)
    infer = tf.function(lambda waveform: network(waveform, training=False), reduce_retracing=True)
    return lambda waveform: infer(waveform).numpy()


def evaluate(
    predict: Callable[[np.ndarray], np.ndarray],
    training: Split,
    scored: Iterable[Split],
    *,
    batch_size: int = 128,
) -> dict[str, dict[str, Any]]:
    """Scores a model and the baselines.

    Args:
        predict: Maps waveforms (batch, channels, steps) to labels (batch, steps).
        training: The records that the baselines are fitted to.
        scored: The splits to score.
        batch_size: Records a call of `predict`.

    Returns:
        By split: `records`, `metrics` of the model and `baselines` with the metrics of each;
        metrics are `mse`, `mae` and `r2` (1 - squared error / squared deviation from the split's
        mean; where labels do not vary, 1 for no error and 0 otherwise).

    Raises:
        UserError: If the model's predictions are not finite.
    """
    fitted = baselines.fit(evaluation_batches(training, batch_size).as_numpy_iterator())
    return {split.name: _score(predict, fitted, split, batch_size) for split in scored}


def _score(
    predict: Callable[[np.ndarray], np.ndarray],
    fitted: dict[str, baselines.Predictor],
    split: Split,
    batch_size: int,
) -> dict[str, Any]:
    predictors = {"model": predict, **fitted}
    errors = {name: Errors() for name in predictors}
    for waveform, label in evaluation_batches(split, batch_size).as_numpy_iterator():
        for name, predictor in predictors.items():
            errors[name].add(predictor(waveform), label)
    metrics = {name: error.metrics() for name, error in errors.items()}
    if not np.isfinite(metrics["model"]["mse"]):
        raise UserError(f"the model's predictions on split {split.name} are not finite")
    return {
        "records": split.num_records,
        "metrics": metrics.pop("model"),
        "baselines": metrics,
    }


def summary(
    splits: dict[str, dict[str, Any]], *, model: str, dataset: str, export: str | None
) -> dict[str, Any]:
    """Returns what evaluation.json holds; on top the scores of test, else of the last split."""
    split = next((name for name in splits if name.startswith("test")), list(splits)[-1])
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
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps(evaluation, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Returns what `write` has written."""
    return json.loads(path.read_text(encoding="utf-8"))


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
    return "\n".join(lines[1:])
