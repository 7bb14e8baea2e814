"""What computes the steps of a training: devices, model and optimizer, in the fastest layout."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from tfseq import averaging, fused_update, models, native, optimizers, replicas, transform
from tfseq.errors import UserError
from tfseq.example_gen import Split, evaluation_batches
from tfseq.models import lowering
from tfseq.multi_worker_model import Shared
from tfseq.native.frames import LoweredToFrames, has_frames
from tfseq.native.training import NativelyTrained, has_few_channels
from tfseq.traced_once import AsItIs

WORTH_COMPILING = 1000
"""Records an epoch from which XLA takes less time to compile than it saves."""


class OneProcessorStrategy(tf.distribute.OneDeviceStrategy):
    """One CPU, which takes batches where they are made.

    TensorFlow would copy them from the CPU to itself, and trace functions for that whenever Keras
    makes an iterator, three times a validation: longer than labelling a hundred records takes.
    """

    def experimental_distribute_dataset(
        self, dataset: tf.data.Dataset, options: tf.distribute.InputOptions | None = None
    ) -> tf.data.Dataset:
        """Returns the data set as it is."""
        return dataset


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns a distribution strategy over the machine's GPUs, or its CPU if it has none.

    Args:
        name: "one_device", "mirrored", or "auto": mirrored where there are several GPUs.

    Raises:
        UserError: If it is "multi_worker": that one is `tfseq.multi_worker.connect`'s.
    """
    if name == "multi_worker":
        raise UserError("--config.strategy: multi_worker is for tfseq.train alone")
    gpus = tf.config.list_logical_devices("GPU")
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        # The default, collective operations, mixes up those of batch normalizations (TF 2.21).
        reduce = tf.distribute.NcclAllReduce if gpus else tf.distribute.ReductionToOneDevice
        return tf.distribute.MirroredStrategy(devices, cross_device_ops=reduce())
    one = tf.distribute.OneDeviceStrategy if gpus else OneProcessorStrategy
    return one(devices[0])


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Has new layers compute in a precision, by its name as a policy of Keras's."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def new_model(
    config: ConfigDict,
    waveform_shape: tuple[int, int],
    scaling: transform.Scaling | None = None,
    label_scaling: transform.LabelScaling | None = None,
    *,
    steps_per_epoch: int = 1,
) -> keras.Model:
    """Returns the compiled model of a config, with freshly initialized weights.

    Args:
        config: The settings.
        waveform_shape: (channels, steps).
        scaling: Mean and variance of the training records' channels, if they are standardized.
        label_scaling: Mean and variance of their labels, likewise.
        steps_per_epoch: Steps of an epoch, for a schedule of the learning rate.
    """
    model = models.build(
        **config.model.to_dict(),
        waveform_shape=waveform_shape,
        scaling=scaling,
        label_scaling=label_scaling,
        views=config.transform.views,
    )
    optimizer = optimizers.make(**config.optimizer, steps=config.epochs * steps_per_epoch)
    _compile(model, optimizer, config)
    return model


def model_for(config: ConfigDict, training: Split) -> keras.Model:
    """Returns a new model that fits training records: their size, number, means and variances."""
    scalings = _fitted(config, training)
    steps = training.num_batches(config.batch_size)
    return new_model(config, training.waveform_shape, *scalings, steps_per_epoch=steps)


def _fitted(
    config: ConfigDict, training: Split
) -> tuple[transform.Scaling | None, transform.LabelScaling | None]:
    asked = config.transform
    if not (asked.standardize or asked.standardize_label):
        return None, None
    batches = evaluation_batches(training, config.batch_size).as_numpy_iterator()
    of_waveform, of_label = transform.fit_scaling(batches)
    return (
        of_waveform if asked.standardize else None,
        of_label if asked.standardize_label else None,
    )


def _compile(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    config: ConfigDict,
    *,
    jit_compile: bool = False,
) -> None:
    model.compile(
        optimizer=optimizer,
        loss=config.loss,
        metrics=_metrics(config),
        jit_compile=jit_compile,
    )


def _metrics(config: ConfigDict) -> list[str]:
    return [metric for metric in ("mse", "mae") if metric != config.loss]


def to_fit(
    model: keras.Model, config: ConfigDict, num_records: int, strategy: tf.distribute.Strategy
) -> keras.Model:
    """Returns what computes the steps: the model itself, or its weights in faster layouts.

    On several replicas the layers stay as they are, and all see the statistics of the whole batch:
    XLA cannot compile a step of several, and own kernels see the records of one.

    Args:
        model: A compiled model.
        config: Its settings.
        num_records: Records of an epoch: few are not worth XLA's compiling.
        strategy: Where it will train.

    Raises:
        UserError: If other layouts are asked for that cannot be had.
    """
    alone = strategy.num_replicas_in_sync == 1
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = not alone
    demanded = config.lowering in ("always", "portable")
    if demanded and not (alone and config.precision == "float32"):
        raise UserError(
            f"--config.lowering: {config.lowering} needs one replica and --config.precision=float32"
        )
    averaging.leave_to_callbacks(model.optimizer)
    if alone:
        optimizers.compute_rate_once(model.optimizer)
    else:
        replicas.draw_own_masks(model)
    if config.strategy == "multi_worker":
        if config.precision == "mixed_float16":
            raise UserError("--config.precision: multi_worker needs float32 or mixed_bfloat16")
        return Shared(model, config.loss, _metrics(config))
    if not alone:
        if config.optimizer.clip_norm:
            replicas.clip_sum(model.optimizer)
        return model
    return _on_one_device(model, config, num_records)


def _on_one_device(model: keras.Model, config: ConfigDict, num_records: int) -> keras.Model:
    if not model.optimizer.built:  # that of a checkpoint is
        model.optimizer.build(model.trainable_variables)
    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    trains = None if on_gpu else _by_kernels(model, config)
    if trains:
        fused_update.fuse(model.optimizer)
        lowered = trains(model)
        _compile(lowered, model.optimizer, config)
        return lowered
    compiled = what_to_compile(model, config, num_records, on_gpu=on_gpu)
    if compiled == "lowered":
        lowered = lowering.Lowered(model)
        _compile(lowered, model.optimizer, config, jit_compile=True)
        return lowered
    if compiled == "model":
        _compile(model, model.optimizer, config, jit_compile=True)
    if compiled == "model" or on_gpu:
        return model
    fused_update.fuse(model.optimizer)
    traced = AsItIs(model)
    _compile(traced, model.optimizer, config)
    return traced


def _by_kernels(model: keras.Model, config: ConfigDict) -> type[keras.Model] | None:
    """Returns what trains a model on a processor by own kernels, if they are to and are there."""
    if config.lowering not in ("auto", "always") or not lowering.pays(model):
        return None
    if has_few_channels(model):
        return NativelyTrained if native.available() else None
    return LoweredToFrames if has_frames(model) and native.available() else None


def what_to_compile(
    model: keras.Model, config: ConfigDict, num_records: int, *, on_gpu: bool
) -> str:
    """Returns what XLA is to compile on one device: "lowered", "model" or "nothing".

    Convolutions are compiled in other layouts, where own kernels do not train them; those of many
    channels on a GPU alone, as they gain nothing on a processor. What has no convolutions gains on
    a GPU too, where the update of 216 million weights by single operations takes four times as
    long as all of the compiled step.

    Args:
        model: A compiled model.
        config: Its settings.
        num_records: Records of an epoch.
        on_gpu: Whether the device is one. There deterministic runs are not compiled by themselves:
            that XLA's are was not tried.
    """
    worth = num_records >= WORTH_COMPILING and not (on_gpu and config.deterministic)
    if config.lowering == "never" or (config.lowering == "auto" and not worth):
        return "nothing"
    if lowering.pays(model):
        gains = on_gpu or has_few_channels(model) or config.lowering != "auto"
        return "lowered" if gains else "nothing"
    return "model" if on_gpu and not lowering.has_convolutions(model) else "nothing"
