"""One trial: the values that Keras Tuner chose, as a model that trains as `tfseq.train` does."""

import functools
import gc
import importlib.metadata
import math
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict
from tensorboard.plugins.hparams import api as hparams

from tfseq import averaging, evaluator, fused_update, training_step
from tfseq.augmentation import Augmentation
from tfseq.example_gen import evaluation_batches, training_batches
from tfseq.history import TensorBoard
from tfseq.tuning import callbacks, results
from tfseq.tuning.plans import Plan
from tfseq.tuning.records import Data, Records, levels, mean_label_errors
from tfseq.whole_epochs import WholeEpochs

_PACKAGES = ("tfseq", "tensorflow", "keras", "keras-tuner")


class TrialModel(keras_tuner.HyperModel):
    """Builds and fits the model of a trial, and writes its row.

    Args:
        plan_of: Says what a trial's values mean.
        data: The records.
        keep_checkpoints: Keep the model of each trial's best epoch.
    """

    def __init__(
        self,
        plan_of: Callable[[keras_tuner.HyperParameters], Plan],
        data: Data,
        *,
        keep_checkpoints: bool = False,
    ) -> None:
        super().__init__()
        self.plan_of = plan_of
        self._data = data
        self._keep_checkpoints = keep_checkpoints
        self._strategy: tf.distribute.Strategy | None = None

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the compiled model of a trial, as its seed initializes it.

        Raises:
            UserError: If the settings do not fit the data.
        """
        # The trial before this one gives its memory back first.
        keras.backend.clear_session()
        gc.collect()
        plan = self.plan_of(hp)
        config = plan.config
        training, _ = self._data.divided(plan.held_out, config.seed)
        keras.config.set_dtype_policy(config.precision)
        keras.utils.set_random_seed(config.seed)
        if config.deterministic:
            tf.config.experimental.enable_op_determinism()
        self._strategy = training_step.make_strategy(config.strategy)
        with self._strategy.scope():
            return training_step.model_for(config, training)

    def fit(
        self, hp: keras_tuner.HyperParameters, model: keras.Model, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Trains a trial's model, and returns the row that it adds to the results.

        Raises:
            UserError: If the settings do not fit the machine.
        """
        try:
            return self._train(self.plan_of(hp), model)
        finally:
            _free(model)

    def _train(self, plan: Plan, model: keras.Model) -> dict[str, Any]:
        training, validation = self._data.divided(plan.held_out, plan.config.seed)
        start = time.perf_counter()
        history = self._fit(plan, model, training, validation)
        row = {
            "seconds": round(time.perf_counter() - start, 3),
            "parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
            "training_records": training.num_records,
            "validation_records": validation.num_records,
            "levels": levels(training, validation) if plan.config.loss == "mse" else {},
            "diverged": _divergence(history),
            **{name: _finite(values) for name, values in history.items()},
        }
        if plan.held_out and not row["diverged"]:
            with averaging.averages(model.optimizer):
                row |= _by_record(plan, model, training, validation)
        return self._record(plan, row)

    def failed(self, hp: keras_tuner.HyperParameters, reason: str) -> dict[str, Any]:
        """Returns the row, added to the results, of a trial that could not be trained."""
        reason = " ".join(reason.split())[:300]
        return self._record(
            self.plan_of(hp), {"seconds": 0.0, "diverged": reason, "loss": [], "val_loss": []}
        )

    def _record(self, plan: Plan, row: dict[str, Any]) -> dict[str, Any]:
        row = {**plan.key, **plan.facts, **row, "versions": versions()}
        results.append(plan.folder, row)
        return row

    def _fit(
        self, plan: Plan, model: keras.Model, training: Records, validation: Records
    ) -> dict[str, list[float]]:
        config = plan.config
        logs = str(plan.folder / "logs" / plan.title)
        # What a kill has left of a trial would be drawn beside it.
        shutil.rmtree(logs, ignore_errors=True)
        called = [
            WholeEpochs(validation.num_batches(config.batch_size)),
            averaging.MeasureAverages(),
            callbacks.StopAtNonFinite(),
            TensorBoard(logs),
            hparams.KerasCallback(logs, _shown(plan.key), trial_id=plan.title),
        ]
        if self._keep_checkpoints:
            path = plan.folder / "checkpoints" / f"{plan.title}.keras"
            called.append(callbacks.KeepBest(model, path))
        batches = training_batches(
            training,
            config.batch_size,
            seed=config.seed,
            cache="always",  # the order of the batches depends on it
            augmentation=_augmentation(config, training),
        )
        with self._strategy.scope():
            fitted = training_step.to_fit(model, config, training.num_records, self._strategy)
            history = fitted.fit(
                batches,
                validation_data=evaluation_batches(validation, config.batch_size, cache="always"),
                steps_per_epoch=training.num_batches(config.batch_size),
                epochs=config.epochs,
                callbacks=called,
                shuffle=False,  # the batches are shuffled
                verbose=0,
            ).history
        return {name: history[name] for name in ("loss", "val_loss")}


def _free(model: keras.Model) -> None:
    """Gives back the memory of a model's variables and of its optimizer's.

    TensorFlow 2.21 keeps the variables of a model that was trained, even once nothing refers to it
    (tensorflow#61791): a search would take more memory with every trial.
    """
    scratch = fused_update.scratch(model.optimizer)
    for variable in (*model.variables, *model.optimizer.variables, *scratch):
        for each in getattr(variable.value, "values", (variable.value,)):
            nothing = tf.zeros((0,), each.dtype)
            tf.raw_ops.AssignVariableOp(resource=each.handle, value=nothing, validate_shape=False)


def _augmentation(config: ConfigDict, training: Records) -> Augmentation:
    augmentation = Augmentation(**config.augmentation)
    augmentation.require_steps(training.waveform_shape[1])
    return augmentation


def _divergence(history: Mapping[str, list[float]]) -> str | None:
    for epoch, losses in enumerate(zip(*history.values(), strict=True), start=1):
        if not np.isfinite(losses).all():
            return f"the loss is not finite in epoch {epoch}"
    return None


def _finite(values: list[float]) -> list[float | None]:
    """Returns values that JSON can hold."""
    return [float(value) if math.isfinite(value) else None for value in values]


def _shown(key: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a key as TensorBoard's HParams can show it."""
    plain = (bool, int, float, str)
    return {name: each if isinstance(each, plain) else str(each) for name, each in key.items()}


def _by_record(
    plan: Plan, model: keras.Model, training: Records, measured: Records
) -> dict[str, list[Any]]:
    """Returns what the row says of each record that was held out."""
    if isinstance(plan.held_out, int):
        return {"record_losses": _record_losses(model, plan.config.loss, measured)}
    columns = {
        "record_id": measured.ids.tolist(),
        "group": measured.groups.tolist(),
        "mse": _record_losses(model, "mse", measured),
        "mean_label_mse": mean_label_errors(training, measured).tolist(),
    }
    return {
        "records": [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]
    }


def _record_losses(model: keras.Model, loss: str, measured: Records) -> list[float]:
    """Returns the loss of each record, in the order of the records."""
    predict, compute = evaluator.predictor(model), keras.losses.get(loss)
    losses = [
        compute(label, predict(waveform.numpy())).numpy()
        for waveform, label in evaluation_batches(measured, 128)
    ]
    return [float(value) for value in np.concatenate(losses)]


@functools.cache
def versions() -> dict[str, str]:
    """Returns what the results were computed with."""
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    return found | {"python": platform.python_version(), "device": device}
