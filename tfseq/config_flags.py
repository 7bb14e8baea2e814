"""The flags of a run's settings: --model, --config_name, --config_file, --config.*, --epochs ..."""

import sys
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict

from tfseq import cli, configs
from tfseq.configs import file
from tfseq.errors import UserError

FLAGS = flags.FLAGS

_SHORT = {
    "epochs": "Epochs to train in all [the settings'].",
    "batch_size": "Records a training step [the settings'].",
    "seed": "Seed of the weights, the dropout and the order of records [the settings'].",
}
"""Settings that have a flag of their own, and what that says of them."""


def define() -> None:
    """Defines the flags; `--config.*` are the settings of what --model and the like name.

    Raises:
        UserError: If they contradict each other, or name settings that are not there.
    """
    _define_names(FLAGS)
    cli.define_settings(_named())
    for name, text in _SHORT.items():
        flags.DEFINE_integer(name, None, text)


def settings() -> ConfigDict:
    """Returns the settings that the command line gives.

    Raises:
        UserError: If one is out of range.
    """
    config = FLAGS.config
    for name in _SHORT:
        if FLAGS[name].value is not None:
            config[name] = FLAGS[name].value
    if FLAGS.dataset is not None:
        config.dataset.name = FLAGS.dataset
    configs.check(config)
    return config


def run_name(config: ConfigDict) -> str:
    """Returns what the folder of a run is called."""
    return FLAGS.config_name or config.model.name


def _define_names(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "model",
        None,
        "Model: cnn, conv_ae, mlp, resnet or seqnet [cnn].",
        flag_values=values,
    )
    flags.DEFINE_string(
        "config_name",
        None,
        f"Settings to begin with: {', '.join(configs.names())} [the model's].",
        flag_values=values,
    )
    flags.DEFINE_string(
        "config_file",
        None,
        "JSON file of settings to begin with: what tfseq.tuning.tune found, or config.json of a "
        "run or of an exported version.",
        flag_values=values,
    )


def _named() -> ConfigDict:
    """Returns the settings that --model, --config_name and --config_file stand for."""
    early = flags.FlagValues()
    _define_names(early)
    early(sys.argv, known_only=True)
    if early.config_file is not None and early.config_name is not None:
        raise UserError("give either --config_name or --config_file; see --help")
    if early.config_file is not None:
        source, config = "--config_file", file.read(Path(early.config_file))
    elif early.config_name is not None:
        source, config = "--config_name", configs.named(early.config_name)
    else:
        return configs.get(early.model or "cnn")
    if early.model not in (None, config.model.name):
        raise UserError(
            f"--model={early.model} contradicts {source}, which is of {config.model.name}"
        )
    return config
