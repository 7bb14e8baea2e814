"""Writes a trained model as a version folder, and tries it before anybody serves it."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from tfseq import evaluator, infra_validator
from tfseq.serving import model_card, signatures, warmup


@dataclasses.dataclass(frozen=True)
class Export:
    """What a version folder holds: a SavedModel and what goes beside it.

    Attributes:
        model: The model.
        half_width: What `tfseq.intervals` fitted to it, if it has intervals.
        texts: What goes beside it, by file name.
        requests: The warm-up requests.
        answers: What the model itself answers to each.
    """

    model: keras.Model
    half_width: keras.Model | None
    texts: dict[str, str]
    requests: list[warmup.Request]
    answers: list[dict[str, np.ndarray]]

    @classmethod
    def of(
        cls,
        model: keras.Model,
        documents: dict[str, Any],
        *,
        half_width: keras.Model | None = None,
        dataset: str | None = None,
    ) -> Self:
        """Returns the export of a trained model.

        Args:
            model: The model.
            documents: What goes beside it, by file name, written as JSON. The model card is made of
                evaluation.json and config.json.
            half_width: What `tfseq.intervals` fitted to the model, to be exported with it.
            dataset: The data set's full name with its version, for the card.
        """
        texts = {"README.md": _card(model, documents, dataset), **_as_json(documents)}
        batches = warmup.waveforms(model)
        requests = warmup.requests(batches)
        answers = _answers(model, half_width, batches, requests)
        return cls(model, half_width, texts, requests, answers)

    def write(self, folder: Path) -> None:
        """Writes it to a folder, and tries it as a server would.

        Raises:
            UserError: If what was written does not answer as the model does.
        """
        signatures.save(self.model, folder, half_width=self.half_width)
        for name, text in self.texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        warmup.write(folder, self.model.name, self.requests)
        infra_validator.validate(folder, self.answers)


def _answers(
    model: keras.Model,
    half_width: keras.Model | None,
    batches: dict[int, np.ndarray],
    requests: list[warmup.Request],
) -> list[dict[str, np.ndarray]]:
    """Returns what the model itself answers to each request."""
    # Where the validator computes too: a GPU rounds in another way.
    with tf.device("CPU:0"):
        labels = _outputs(model, batches)
        halves = {} if half_width is None else _outputs(half_width, batches)
    answers = []
    for request in requests:
        size = len(next(iter(request.inputs.values())))
        answer = {"label": labels[size]}
        if halves:
            ends = labels[size] - halves[size], labels[size] + halves[size]
            answer["interval"] = np.stack(ends, axis=1)
        if request.signature == "validate":
            answer["valid"] = np.ones(size, bool)
        answers.append(answer)
    return answers


def _outputs(model: keras.Model, batches: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    predict = evaluator.predictor(model)
    return {size: predict(batch) for size, batch in batches.items()}


def _card(model: keras.Model, documents: dict[str, Any], dataset: str | None) -> str:
    return model_card.text(
        model.name,
        model.inputs[0].shape[1:],
        sum(math.prod(weight.shape) for weight in model.trainable_weights),
        evaluation=documents.get("evaluation.json"),
        config=documents.get("config.json"),
        dataset=dataset,
    )


def _as_json(documents: dict[str, Any]) -> dict[str, str]:
    return {name: json.dumps(content, indent=2) + "\n" for name, content in documents.items()}
