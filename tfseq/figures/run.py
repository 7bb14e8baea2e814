"""What a finished run left: its settings, scores, loss by epoch, and the model."""

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfseq import json_file
from tfseq.errors import UserError
from tfseq.figures.content import Errors

_FILES = ("config.json", "evaluation.json", "logs/history.csv")

Predictor = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run of `tfseq.train`.

    Attributes:
        workdir: Its folder.
        config: Its settings, see `tfseq.configs`.
        evaluation: Its scores, see `tfseq.evaluator`.
        history: By column of logs/history.csv, a value for every epoch.
    """

    workdir: Path
    config: dict[str, Any]
    evaluation: dict[str, Any]
    history: dict[str, np.ndarray]

    @property
    def loss(self) -> str:
        """The metric to draw: the loss itself, or mse where no baseline has that loss."""
        loss = self.config["loss"]
        return loss if loss in self.evaluation["metrics"] else "mse"

    def curves(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns that metric on the training and validation records by epoch."""
        column = "loss" if self.loss == self.config["loss"] else self.loss
        return self.history[column], self.history[f"val_{column}"]

    def levels(self) -> dict[str, float]:
        """Returns that metric of predict-zero and predict-the-mean on the validation records."""
        scores = self.evaluation["splits"][self.config["data"]["validation_split"]]
        return {name: scores["baselines"][name][self.loss] for name in ("zero", "mean")}

    def mean_level(self, split: str) -> float | None:
        """Returns the mse of predict-the-mean on a split; None if the run did not score it."""
        scores = self.evaluation["splits"].get(split)
        return scores and scores["baselines"]["mean"]["mse"]


def read(workdir: Path) -> Run:
    """Returns the run in a workdir.

    Raises:
        UserError: If the run there is not finished, or a file of it is not as `tfseq.train`
            writes it.
    """
    for name in _FILES:
        if not (workdir / name).is_file():
            raise UserError(
                f"--workdir: no finished run in {workdir}: {name} is missing; "
                "python -m tfseq.train --workdir=... makes one"
            )
    try:
        config, evaluation = (json_file.read(workdir / name) for name in _FILES[:2])
        with (workdir / _FILES[2]).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        history = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
        found = Run(workdir, config, evaluation, history)
        found.curves()
        found.levels()
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UserError(
            f"--workdir: the files of the run in {workdir} are not as python -m tfseq.train writes "
            f"them ({type(error).__name__}: {error})"
        ) from error
    return found


def load_model(run: Run, waveform_shape: tuple[int, int]) -> Predictor:
    """Returns the inference function of a run's best epoch, or of its export.

    Args:
        run: The run.
        waveform_shape: (channels, steps) of what will be predicted.

    Raises:
        UserError: If neither is there, or the model takes another shape.
    """
    from tfseq import checkpoint_files, evaluator, keras_file
    from tfseq.saved_model import SavedModel

    path = checkpoint_files.best(run.workdir / "checkpoints")
    export = run.evaluation.get("export")
    if path.is_file():
        try:
            model = keras_file.load(path, compile=False)
        except keras_file.DAMAGE as error:
            raise UserError(f"--workdir: {path} is not a model that Keras can load") from error
        shape, predict = model.input_shape[1:], evaluator.predictor(model)
    elif export and Path(export).is_dir():
        exported = SavedModel(export)
        shape, predict = exported.waveform_shape, exported.predict
    else:
        raise UserError(f"--workdir: neither {path} nor the export {export} is there")
    if tuple(shape) != waveform_shape:
        raise UserError(
            f"--workdir: the model takes waveforms of {tuple(shape)} (channels, steps), "
            f"the data set now has {waveform_shape}"
        )
    return predict


def measure(predict: Predictor, batches: Any, num_steps: int) -> Errors:
    """Returns the errors of a model, batch by batch.

    Args:
        predict: Maps waveforms (batch, channels, steps) to labels (batch, steps).
        batches: Dicts of waveform, label and group, as numpy arrays.
        num_steps: Steps of a record.

    Raises:
        UserError: If an error is not finite.
    """
    by_step = np.zeros(num_steps)
    by_record, groups = [], []
    for batch in batches:
        squared = np.square(predict(batch["waveform"]).astype(np.float64) - batch["label"])
        by_step += squared.sum(axis=0)
        by_record.extend(squared.mean(axis=1))
        groups.extend(group.decode() for group in batch["group"])
    found = Errors(by_step / len(groups), np.array(by_record), tuple(groups))
    bad = np.flatnonzero(~np.isfinite(found.by_record))
    if bad.size:
        raise UserError(f"the model's error on record {bad[0]} of the split is not finite")
    return found
