"""Trains with `model.fit` under a `tf.distribute` strategy, and continues what was stopped."""

import dataclasses
import functools
import sys
from collections.abc import Callable
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
    data_service,
    history,
    run_config,
    run_data,
    training_step,
    workers,
)
from tfseq.augmentation import Augmentation
from tfseq.checkpoint_files import Position
from tfseq.example_gen import Split, evaluation_batches, training_batches
from tfseq.whole_epochs import WholeEpochs


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
            the machine or the data, the loss is not finite, or another worker is missing or
            differs.
        checkpoint.Interrupted: After a SIGINT; what was trained is saved.
    """
    settled, data = _settle(config, training, validation, workdir)
    folder = workdir / "checkpoints"
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    team = workers.of(config)
    team.agree_on_start(settled, training, validation, folder)
    told = data_service.lost_batches_told()
    with training_step.precision(config.precision), team.working(), told:
        with team.strategy.scope():
            restored = checkpoint_files.restore(folder)
            model = restored.model if restored else training_step.model_for(config, training)
            fitted = training_step.to_fit(model, config, training.num_records, team.strategy)
        position = restored.position if restored else Position()
        team.agree_on_model(model)
        if team.writes:
            run_config.write(config, workdir)
            run_data.write(data, workdir)
        print(_summary(model, training, validation, team.strategy))
        if restored:
            print(_continuation(restored))
        done = position.epoch >= config.epochs or _out_of_patience(config, position)
        if not done:
            saver = checkpoint.Checkpoint(
                folder,
                position,
                model,
                steps_per_epoch=training.num_batches(config.batch_size),
                every_steps=config.checkpoint.every_steps,
                patience=config.early_stopping.patience,
                metrics=restored.metrics if restored else None,
                writes=team.writes,
            )
            cache = settled.data.cache
            _fit(fitted, saver, config, cache, training, validation, workdir / "logs", team)
    if team.share:
        # The chief goes on alone, with a model that is not shared.
        model = checkpoint_files.read_best(folder) if team.writes else model
    elif position.best_epoch != position.epoch or averaging.is_used(model.optimizer):
        checkpoint_files.load_best(model, folder)
    return Result(model, position.best_epoch, position.epoch, trained=not done)


def run_fn(fn_args: Any) -> None:
    """Trains and exports as a component of TFX, whose Trainer calls this: `tfseq.tfx.training`.

    Raises:
        UserError: If settings and records do not fit each other, or TFX is not installed.
    """
    from tfseq.tfx import installation

    installation.require()
    from tfseq.tfx import training

    training.run(fn_args)


def _settle(
    config: ConfigDict, training: Split, validation: Split, workdir: Path
) -> tuple[ConfigDict, dict[str, Any]]:
    """Refuses what cannot be, or is not what the run in the workdir began with.

    Returns:
        The settings, with it decided whether the records are held in memory; and what data.json
        says of the data.
    """
    run_config.refuse_other(config, workdir)
    settled = run_data.settle_cache(config, training, workdir)
    # A pipeline of TFX, which has no builders, keeps its own account of the data.
    held = settled.data.cache == "always"
    data = run_data.describe(training, validation, held=held) if training.builder else {}
    run_data.refuse_other(data, workdir)
    Augmentation(**config.augmentation).require_steps(training.waveform_shape[1])
    if config.data.service:
        data_service.require(config.data.service)
    return settled, data


def _fit(
    model: keras.Model,
    saver: checkpoint.Checkpoint,
    config: ConfigDict,
    cache: str,
    training: Split,
    validation: Split,
    logs: Path,
    team: workers.One | workers.Several,
) -> None:
    position = saver.position
    steps = training.num_batches(config.batch_size)
    validation_steps = validation.num_batches(config.batch_size)
    shows_progress = team.writes and sys.stdout.isatty()
    called = [WholeEpochs(validation_steps), saver, averaging.MeasureAverages()]
    if team.writes:
        # The saver comes after the logs: what it says is done has been logged.
        called[1:1] = _logging(logs, position)
        if not shows_progress:
            called.append(history.EpochLine(config.epochs))
    # Whether these are held in memory is another question: their order does not depend on it.
    validation_batches = team.batches(
        lambda: evaluation_batches(
            validation, config.batch_size, cache=config.data.cache, share=team.share
        )
    )
    try:
        while position.epoch < config.epochs and not model.stop_training:
            batches = functools.partial(
                _batches(config, cache),
                training,
                config.batch_size,
                seed=config.seed,
                first_epoch=position.epoch,
                first_step=position.step,
                augmentation=Augmentation(**config.augmentation),
                share=team.share,
            )
            model.fit(
                team.batches(batches),
                validation_data=validation_batches,
                # Keras cannot count the batches of workers.
                validation_steps=validation_steps if team.share else None,
                steps_per_epoch=steps - position.step,
                initial_epoch=position.epoch,
                # The rest of an epoch is a fit of its own: it has fewer steps.
                epochs=position.epoch + 1 if position.step else config.epochs,
                callbacks=called,
                shuffle=False,  # the batches are shuffled
                verbose=int(shows_progress),
            )
    finally:
        saver.release()


def _logging(logs: Path, position: Position) -> list[keras.callbacks.Callback]:
    table = logs / "history.csv"
    history.cut(table, position.epoch)
    return [history.TensorBoard(logs), keras.callbacks.CSVLogger(table, append=True)]


def _batches(config: ConfigDict, cache: str) -> Callable[..., tf.data.Dataset]:
    if config.data.service:
        return functools.partial(data_service.training_batches, address=config.data.service)
    return functools.partial(training_batches, cache=cache)


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


def _continuation(restored: checkpoint_files.Restored) -> str:
    position = restored.position
    step = f" and {position.step} steps" if position.step else ""
    return f"Continuing from {restored.path}: {position.epoch} epochs{step} are done."
