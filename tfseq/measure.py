"""What a training has come to: its intervals, if there are to be any, and its scores."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
from ml_collections import ConfigDict

from tfseq import evaluator, intervals, trainer
from tfseq.configs import file
from tfseq.example_gen import Split
from tfseq.models import precision


@dataclasses.dataclass(frozen=True)
class Measured:
    """A trained model beside the baselines.

    Attributes:
        model: The model, as it is to be served.
        half_width: What `tfseq.intervals` fitted to it; None without intervals.
        evaluation: What evaluation.json holds, but for the export.
        documents: What is exported with the model, by file name.
    """

    model: keras.Model
    half_width: keras.Model | None
    evaluation: dict[str, Any]
    documents: dict[str, Any]


def measure(
    config: ConfigDict,
    result: trainer.Result,
    training: Split,
    validation: Split,
    scored: Iterable[Split],
    workdir: Path,
) -> Measured:
    """Makes of a trained model what is served, fits its intervals and scores it.

    Args:
        config: The settings of the run.
        result: What `trainer.train` returned.
        training: The records that it learned from, as do the baselines.
        validation: The records that chose the best epoch.
        scored: The splits to score.
        workdir: The folder of the run.

    Raises:
        UserError: If the model's predictions are not finite, or its intervals are damaged.
    """
    model = precision.served(result.model, config.serving_precision)
    half_width = intervals.of_run(config, model, result.best_epoch, training, validation, workdir)
    splits = evaluator.evaluate(
        evaluator.predictor(model),
        training,
        scored,
        half_width=evaluator.predictor(half_width) if half_width else None,
    )
    names = {"model": config.model.name, "dataset": config.dataset.name}
    evaluation = evaluator.summary(splits, **names, export=None)
    documents = {"evaluation.json": evaluation, "config.json": file.to_json(config)}
    return Measured(model, half_width, evaluation, documents)
