"""What TFX's Trainer does: `tfseq.trainer.train` on transformed records, then the export."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from ml_collections import ConfigDict

from tfseq import evaluator, measure, trainer
from tfseq.example_gen import Split
from tfseq.export import Export
from tfseq.tfx import records, settings
from tfseq.tuning import space


def run(fn_args: Any) -> None:
    """Trains a model, and exports it with the signatures of `tfseq.serving.signatures`.

    The settings are those of `custom_config`, changed by the hyperparameters that a Tuner found.
    `model_run_dir` gets what tfseq.train writes to its --workdir, `serving_model_dir` what it
    writes to a version.

    Args:
        fn_args: TFX's FnArgs. Read are `train_files`, `eval_files`, `train_steps`,
            `data_accessor`, `transform_graph_path`, `hyperparameters`, `custom_config`,
            `model_run_dir` and `serving_model_dir`.

    Raises:
        UserError: If settings and records do not fit each other, or the export is not the model.
    """
    training, validation = records.of(fn_args)
    config = _settings(fn_args, training)
    with _local(fn_args.model_run_dir) as workdir:
        result = trainer.train(config, training, validation, workdir)
        measured = measure.measure(config, result, training, validation, [validation], workdir)
        evaluator.write(measured.evaluation, workdir / "evaluation.json")
    dataset = fn_args.custom_config.get("dataset")
    with _local(fn_args.serving_model_dir) as folder:
        Export.of(
            measured.model, measured.documents, half_width=measured.half_width, dataset=dataset
        ).write(folder)


def _settings(fn_args: Any, training: Split) -> ConfigDict:
    config = settings.of(fn_args.custom_config)
    if fn_args.hyperparameters is not None:
        config = space.apply(fn_args.hyperparameters["values"], config)
    if fn_args.train_steps is not None:
        config.epochs = max(1, round(fn_args.train_steps / training.num_batches(config.batch_size)))
    return config


@contextlib.contextmanager
def _local(uri: str) -> Iterator[Path]:
    """Yields a folder of this machine; what is written to it ends up at the URI."""
    if "://" not in uri:
        Path(uri).mkdir(parents=True, exist_ok=True)
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)
        for path in sorted(Path(temporary).rglob("*")):
            target = f"{uri}/{path.relative_to(temporary).as_posix()}"
            if path.is_dir():
                tf.io.gfile.makedirs(target)
            else:
                tf.io.gfile.makedirs(target.rpartition("/")[0])
                tf.io.gfile.copy(str(path), target, overwrite=True)
