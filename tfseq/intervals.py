"""Intervals around a model's labels that hold the true ones with a chosen probability.

A second, small network learns how far labels lie from those of the trained model, which stays as it
is: the quantile of the distance, by the pinball loss (Koenker and Bassett, 1978, "Regression
quantiles"). On records that were learned from, distances are too small. So the network's are
multiplied by one factor, with which the intervals hold the chosen part of the labels of the
validation records (split conformal prediction with normalized scores: Papadopoulos et al., 2002,
"Inductive confidence machines for regression"; Lei et al., 2018, "Distribution-free predictive
inference for regression"). They hold as large a part of the labels of other records as far as those
are drawn like the validation records.
"""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from ml_collections import ConfigDict

from tfseq import (
    atomic_file,
    evaluator,
    keras_file,
    models,
    optimizers,
    run_data,
    training_step,
    transform,
)
from tfseq.errors import UserError
from tfseq.example_gen import Split, evaluation_batches, training_batches
from tfseq.models import lowering

_NETWORK = {"filters": 16, "blocks": 5, "dropout": 0.1}
_LEARNING_RATE = 2e-3
_BATCH_SIZE = 32
# Labels to find the factor from; of more, neighbouring steps say much the same.
_MOST_COMPARED = 1 << 24


def fit(config: ConfigDict, model: keras.Model, training: Split, validation: Split) -> keras.Model:
    """Returns the model of half the widths of the intervals.

    Args:
        config: The settings of the run: `interval`, and its seed.
        model: The trained model, maps waveforms to labels.
        training: The records to learn the distances from.
        validation: The records that decide the factor.

    Returns:
        Maps `waveform` (batch, channels, steps) to half the width of the interval around each
        label, (batch, steps).
    """
    keras.utils.set_random_seed(config.seed)
    predict = evaluator.predictor(model)
    width = _network(training, predict)
    fitted = _Distances(model, width)
    steps = training.num_batches(_BATCH_SIZE)
    optimizer = optimizers.make(
        "adamw",
        _LEARNING_RATE,
        0.0,
        schedule="cosine",
        warmup=0.05,
        clip_norm=1.0,
        steps=steps * config.interval.epochs,
    )
    optimizers.compute_rate_once(optimizer)
    fitted.compile(
        optimizer,
        loss=_pinball(config.interval.coverage),
        jit_compile=training.num_records >= training_step.WORTH_COMPILING,
    )
    fitted.fit(
        training_batches(training, _BATCH_SIZE, seed=config.seed, cache=config.data.cache),
        steps_per_epoch=steps,
        epochs=config.interval.epochs,
        shuffle=False,  # the batches are shuffled
        verbose=0,
    )
    factor = _factor(predict, evaluator.predictor(width), validation, config.interval.coverage)
    return _scaled(width, factor)


def of_run(
    config: ConfigDict,
    model: keras.Model,
    best_epoch: int,
    training: Split,
    validation: Split,
    workdir: Path,
) -> keras.Model | None:
    """Returns what `fit` returns if there are to be intervals; it is kept beside the checkpoints.

    Args:
        config: The settings of the run.
        model: The trained model.
        best_epoch: The epoch that its weights are of.
        training: The records to learn the distances from.
        validation: The records that decide the factor.
        workdir: The folder of the run.
    """
    if not config.interval.coverage:
        return None
    # It belongs to the weights of one epoch, and to what they are computed in.
    name = f"half_width_{best_epoch}_{config.interval.coverage}_{config.interval.epochs}"
    if config.precision != "float32":
        name += f"_{config.serving_precision}"
    path = workdir / "checkpoints" / f"{name}.keras"
    if path.is_file():
        return _read(path)
    width = fit(run_data.settle_cache(config, training, workdir), model, training, validation)
    with atomic_file.replacing(path) as temporary:
        width.save(temporary)
    return width


def _read(path: Path) -> keras.Model:
    try:
        return keras_file.load(path)
    except keras_file.DAMAGE as error:
        raise UserError(f"{path} is damaged; remove it, and it is made again") from error


class _Distances(keras.Model):
    """Labels of a model that is not trained, and half widths of one that is, as one output."""

    def __init__(self, model: keras.Model, width: keras.Model) -> None:
        super().__init__(name="distances")
        label = lowering.inference(model)
        # In a function, the model's weights are none of this one's.
        self._label = lambda waveform: label(waveform, training=False)
        self._width = lowering.inference(width)
        self.built = True

    def call(self, waveform: Any, training: bool = False) -> Any:
        """Returns (batch, 2, steps)."""
        return ops.stack([self._label(waveform), self._width(waveform, training=training)], axis=1)


def _network(training: Split, predict: evaluator.Predictor) -> keras.Model:
    """Returns the network of the half widths, which begins near the mean distance."""
    batches = evaluation_batches(training, _BATCH_SIZE)
    scaling, _ = transform.fit_scaling(batches.as_numpy_iterator())
    waveform, label = next(iter(batches.take(1).as_numpy_iterator()))
    distance = float(np.mean(np.abs(predict(waveform) - label)))
    network = models.build(
        "seqnet",
        waveform_shape=training.waveform_shape,
        scaling=scaling,
        views=transform.VIEWS,
        **_NETWORK,
    )
    width = keras.layers.Activation("softplus", name="positive")(network.output)
    return _scaled(keras.Model(network.input, width), max(distance, 1e-6))


def _scaled(width: keras.Model, factor: float) -> keras.Model:
    scaled = keras.layers.Rescaling(factor, name=f"times_{len(width.layers)}")(width.output)
    return keras.Model(width.input, scaled, name="half_width")


def _pinball(quantile: float) -> Any:
    def pinball(label: Any, predicted: Any) -> Any:
        above = ops.abs(label - predicted[:, 0]) - predicted[:, 1]
        return ops.mean(ops.maximum(quantile * above, (quantile - 1) * above), axis=-1)

    return pinball


def _factor(
    predict: evaluator.Predictor,
    half_width: evaluator.Predictor,
    validation: Split,
    coverage: float,
) -> float:
    """Returns what half widths must be multiplied by to hold a part of the labels."""
    every = -(-validation.num_records * validation.waveform_shape[1] // _MOST_COMPARED)
    scores = []
    for waveform, label in evaluation_batches(validation, 128).as_numpy_iterator():
        ratio = np.abs(predict(waveform) - label) / np.maximum(half_width(waveform), 1e-9)
        scores.append(ratio[:, ::every].ravel())
    ordered = np.sort(np.concatenate(scores))
    place = math.ceil(coverage * (len(ordered) + 1)) - 1
    return float(ordered[min(place, len(ordered) - 1)])
