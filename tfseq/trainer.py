"""Trains with `model.fit` under a `tf.distribute` strategy, and continues what was stopped."""

import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from tfseq import (
    averaging,
    checkpoint,
    checkpoint_files,
    history,
    run_config,
    run_data,
    training_step,
    transform,
)
from tfseq.augmentation import Augmentation
from tfseq.checkpoint_files import Position
from tfseq.example_gen import Split, evaluation_batches, training_batches


@dataclasses.dataclass(frozen=True)
class Result:
    """A trained model.

    Attributes:
        model: The model with the weights of its best epoch.
        best_epoch: That epoch, counted from 1.
        epochs: Epochs that were trained in all.
        trained: Whether this call trained; False if the work was found done.
    """

    model: keras.Model
    best_epoch: int
    epochs: int
    trained: bool


def train(config: ConfigDict, training: Split, validation: Split, workdir: Path) -> Result:
    """Trains a model, or goes on where the run in the workdir stands.

    Args:
        config: The settings, see `tfseq.configs`.
        training: The records to learn from.
        validation: The records that choose the best epoch.
        workdir: Gets config.json, data.json, logs/ (TensorBoard, history.csv) and checkpoints/.

    Returns:
        The model with the lowest validation loss.

    Raises:
        UserError: If the workdir holds a run with other settings or data, the settings do not fit
            the machine or the data, or the loss is not finite.
        checkpoint.Interrupted: After a SIGINT; what was trained is saved.
    """
    run_config.refuse_other(config, workdir)
    # A pipeline of TFX, which has no builders, keeps its own account of the data.
    data = run_data.describe(training, validation) if training.builder else {}
    run_data.refuse_other(data, workdir)
    augmentation = Augmentation(**config.augmentation)
    augmentation.require_steps(training.waveform_shape[1])
    folder = workdir / "checkpoints"
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    strategy = training_step.make_strategy(config.strategy)
    with _precision(config.precision), strategy.scope():
        restored = checkpoint_files.restore(folder)
        if restored:
            model, position, metrics = restored.model, restored.position, restored.metrics
        else:
            scaling = _fitted_scaling(config, training)
            steps = training.num_batches(config.batch_size)
            model = training_step.new_model(
                config, training.waveform_shape, scaling, steps_per_epoch=steps
            )
            position, metrics = Position(), None
        fitted = training_step.to_fit(model, config, training.num_records, strategy)
        run_config.write(config, workdir)
        run_data.write(data, workdir)
        print(_summary(model, training, validation, strategy))
        done = position.epoch >= config.epochs or _out_of_patience(config, position)
        if restored:
            step = f" and {position.step} steps" if position.step else ""
            print(f"Continuing from {restored.path}: {position.epoch} epochs{step} are done.")
        if not done:
            saver = checkpoint.Checkpoint(
                folder,
                position,
                model,
                steps_per_epoch=training.num_batches(config.batch_size),
                every_steps=config.checkpoint.every_steps,
                patience=config.early_stopping.patience,
                metrics=metrics,
            )
            _fit(fitted, saver, config, augmentation, training, validation, workdir / "logs")
        if position.best_epoch != position.epoch or averaging.is_used(model.optimizer):
            checkpoint_files.load_best(model, folder)
    return Result(model, position.best_epoch, position.epoch, trained=not done)


def run_fn(fn_args: Any) -> None:
    """Trains and exports as a component of TFX, whose Trainer calls this: `tfseq.tfx.training`."""
    from tfseq.tfx import training

    training.run(fn_args)


def _fitted_scaling(config: ConfigDict, training: Split) -> transform.Scaling | None:
    if not config.transform.standardize:
        return None
    batches = evaluation_batches(training, config.batch_size)
    return transform.fit_scaling(waveform.numpy() for waveform, _ in batches)


def _fit(
    model: keras.Model,
    saver: checkpoint.Checkpoint,
    config: ConfigDict,
    augmentation: Augmentation,
    training: Split,
    validation: Split,
    logs: Path,
) -> None:
    position = saver.position
    steps = training.num_batches(config.batch_size)
    history.cut(logs / "history.csv", position.epoch)
    on_terminal = sys.stdout.isatty()
    callbacks = [
        keras.callbacks.TensorBoard(logs, write_graph=False),
        keras.callbacks.CSVLogger(logs / "history.csv", append=True),
        # Comes after the logs: what it says is done has been logged.
        saver,
        averaging.MeasureAverages(),
    ]
    if not on_terminal:
        callbacks.append(history.EpochLine(config.epochs))
    validation_batches = evaluation_batches(validation, config.batch_size, cache=config.data.cache)
    try:
        while position.epoch < config.epochs and not model.stop_training:
            batches = training_batches(
                training,
                config.batch_size,
                seed=config.seed,
                first_epoch=position.epoch,
                first_step=position.step,
                cache=config.data.cache,
                augmentation=augmentation,
            )
            model.fit(
                batches,
                validation_data=validation_batches,
                steps_per_epoch=steps - position.step,
                initial_epoch=position.epoch,
                # The rest of an epoch is a fit of its own: it has fewer steps.
                epochs=position.epoch + 1 if position.step else config.epochs,
                callbacks=callbacks,
                shuffle=False,  # the batches are shuffled
                verbose=1 if on_terminal else 0,
            )
    finally:
        saver.release()


def _out_of_patience(config: ConfigDict, position: Position) -> bool:
    patience = config.early_stopping.patience
    return bool(patience) and position.epochs_without_gain >= patience


def _summary(
    model: keras.Model, training: Split, validation: Split, strategy: tf.distribute.Strategy
) -> str:
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    device = strategy.extended.worker_devices
    return (
        f"{model.name}: {parameters:,} trainable parameters; {training.num_records} training and "
        f"{validation.num_records} validation records; {type(strategy).__name__} on {len(device)} "
        f"{'GPU' if 'GPU' in device[0] else 'CPU'}{'s' if len(device) > 1 else ''}"
    )


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)
