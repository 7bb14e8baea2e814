"""Trains with `model.fit` under a `tf.distribute` strategy, and continues what was stopped."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from tfseq import checkpoint, history, models, transform
from tfseq.errors import UserError
from tfseq.example_gen import Split, evaluation_batches, training_batches

# What may differ between a run and its continuation.
_CHANGEABLE = ("epochs", "early_stopping", "checkpoint", "strategy")


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
        workdir: Gets config.json, logs/ (TensorBoard, history.csv) and checkpoints/.

    Returns:
        The model with the lowest validation loss.

    Raises:
        UserError: If the workdir holds a run with other settings, the settings do not fit the
            machine or the data, or the loss is not finite.
        checkpoint.Interrupted: After a SIGINT; what was trained is saved.
    """
    _refuse_other_settings(config, workdir)
    folder = workdir / "checkpoints"
    keras.utils.set_random_seed(config.seed)
    strategy = make_strategy(config.strategy)
    with _precision(config.precision), strategy.scope():
        path = checkpoint.last(folder)
        if path:
            model, position, metrics = checkpoint.restore(path)
        else:
            model, position, metrics = _new_model(config, training), checkpoint.Position(), None
        _adapt_to_replicas(model, strategy.num_replicas_in_sync)
        workdir.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_settings(config), indent=2) + "\n"
        (workdir / "config.json").write_text(text, encoding="utf-8")
        print(_summary(model, training, validation, strategy))
        done = position.epoch >= config.epochs or _out_of_patience(config, position)
        if path:
            step = f" and {position.step} steps" if position.step else ""
            print(f"Continuing from {path}: {position.epoch} epochs{step} are done.")
        if not done:
            saver = checkpoint.Checkpoint(
                folder,
                position,
                steps_per_epoch=training.num_batches(config.batch_size),
                every_steps=config.checkpoint.every_steps,
                patience=config.early_stopping.patience,
                metrics=metrics,
            )
            _fit(model, saver, config, training, validation, workdir / "logs")
        if position.best_epoch != position.epoch:
            model.load_weights(checkpoint.best(folder))
    return Result(model, position.best_epoch, position.epoch, trained=not done)


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns a distribution strategy over the machine's GPUs, or its CPU if it has none.

    Args:
        name: "one_device", "mirrored", or "auto": mirrored where there are several GPUs.
    """
    gpus = tf.config.list_logical_devices("GPU")
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        # The default, collective operations, mixes up those of batch normalizations (TF 2.21).
        reduce = tf.distribute.NcclAllReduce if gpus else tf.distribute.ReductionToOneDevice
        return tf.distribute.MirroredStrategy(devices, cross_device_ops=reduce())
    return tf.distribute.OneDeviceStrategy(devices[0])


def make_optimizer(name: str, learning_rate: float, momentum: float) -> keras.optimizers.Optimizer:
    """Returns an optimizer with PyTorch's constants, which the report trained with.

    Args:
        name: One of `tfseq.configs.OPTIMIZERS`.
        learning_rate: Step size.
        momentum: Of "sgd" and "rmsprop".
    """
    if name == "sgd":
        return keras.optimizers.SGD(learning_rate, momentum=momentum)
    if name == "rmsprop":
        # Keras adds epsilon inside the root: 1e-16 there is PyTorch's 1e-8 outside it.
        return keras.optimizers.RMSprop(learning_rate, rho=0.99, momentum=momentum, epsilon=1e-16)
    if name == "adamw":
        return keras.optimizers.AdamW(learning_rate, weight_decay=0.01, epsilon=1e-8)
    return keras.optimizers.Adam(learning_rate, epsilon=1e-8)


def _new_model(config: ConfigDict, training: Split) -> keras.Model:
    scaling = None
    if config.transform.standardize:
        scaling = transform.fit_scaling(
            waveform.numpy() for waveform, _ in evaluation_batches(training, config.batch_size)
        )
    model = models.build(
        **config.model.to_dict(), waveform_shape=training.waveform_shape, scaling=scaling
    )
    model.compile(
        optimizer=make_optimizer(**config.optimizer),
        loss=config.loss,
        metrics=[metric for metric in ("mse", "mae") if metric != config.loss],
        jit_compile=config.jit_compile,
    )
    return model


def _adapt_to_replicas(model: keras.Model, replicas: int) -> None:
    """Has all replicas see the statistics of the whole batch; refuses what they cannot do."""
    if replicas > 1 and model.jit_compile:
        raise UserError("--config.jit_compile: not possible on several replicas; leave it false")
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = replicas > 1


def _fit(
    model: keras.Model,
    saver: checkpoint.Checkpoint,
    config: ConfigDict,
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
    ]
    if not on_terminal:
        callbacks.append(history.EpochLine(config.epochs))
    try:
        while position.epoch < config.epochs and not model.stop_training:
            batches = training_batches(
                training,
                config.batch_size,
                seed=config.seed,
                first_epoch=position.epoch,
                first_step=position.step,
                cache=config.data.cache,
            )
            model.fit(
                batches,
                validation_data=evaluation_batches(validation, config.batch_size),
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


def _settings(config: ConfigDict) -> dict[str, Any]:
    return json.loads(config.to_json_best_effort())


def _refuse_other_settings(config: ConfigDict, workdir: Path) -> None:
    path = workdir / "config.json"
    if checkpoint.last(workdir / "checkpoints") and path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        for key, (old, new) in _differences(before, _settings(config)).items():
            raise UserError(
                f"{workdir} holds a run with --config.{key}={old}, not {new}; "
                "name another --workdir, or remove this one"
            )


def _differences(before: Any, now: Any, key: str = "") -> dict[str, tuple[Any, Any]]:
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return {} if before == now else {key: (before, now)}
    found = {}
    for name in {**before, **now}:
        path = f"{key}.{name}".lstrip(".")
        if path not in _CHANGEABLE:
            found.update(_differences(before.get(name), now.get(name), path))
    return found


def _out_of_patience(config: ConfigDict, position: checkpoint.Position) -> bool:
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
