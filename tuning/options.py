"""The flags that the commands share, and the settings of a trial that follow from them."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from tfseq import cli, configs
from tfseq.configs import default
from tfseq.configs.flat import flat
from tfseq.tuning import afresh
from tfseq.tuning.study import Arm, Study

FLAGS = flags.FLAGS

# Settings that a study, a model or a flag of its own decides.
_NOT_SHARED = ("model", "optimizer", "epochs", "batch_size", "seed", "early_stopping", "checkpoint")

_UNUSED = {
    "data.cache": "trials hold their records in memory",
    "data.service": "trials take their batches from memory",
    "interval": "trials make no intervals; give it to tfseq.train",
    "serving_precision": "trials are not served; give it to tfseq.train",
    "multi_worker": "processes share trials, not a training; see docs/tuning.md",
    "checkpoint": "a trial that was stopped begins anew",
    "early_stopping": "a trial trains for all of its epochs",
}


@dataclasses.dataclass(frozen=True)
class Options:
    """How studies are run.

    Attributes:
        workdir: The results of a study go to <workdir>/<data set>/<study>.
        dataset: Name of the data set.
        data_dir: Where built data sets are kept.
        manual_dir: The folder of the raw files, for the data sets that are made from some.
        settings: What differs from the defaults in all trials, by dotted key.
        seeds: How many seeds each arm is run with: 0, 1 and so on.
        executions: How often each of those is repeated.
        epochs: Of all arms that a study does not give some of their own; None is the report's.
        width_fraction: How wide the hidden layers of the MLP are, beside the report's.
        keep_checkpoints: Keep the model of each trial's best epoch.
    """

    workdir: Path
    dataset: str = "simulated_emg"
    data_dir: str | None = None
    manual_dir: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seeds: int = 3
    executions: int = 1
    epochs: int | None = None
    width_fraction: float = 1.0
    keep_checkpoints: bool = False

    def folder(self, study: Study) -> Path:
        """Returns the folder of a study's results."""
        return self.workdir / self.dataset / study.name

    def shared(self) -> dict[str, Any]:
        """Returns what all trials of a folder share, by the flags that say so."""
        settings = {f"--config.{key}": value for key, value in self.settings.items()}
        return {"--epochs": self.epochs, "--width_fraction": self.width_fraction, **settings}


def define_flags() -> None:
    """Defines the flags of a command that runs studies."""
    cli.define_data_flags()
    afresh.define_flag()
    flags.DEFINE_string("workdir", "runs/studies", "Folder of the results [runs/studies].")
    flags.DEFINE_integer("seeds", 3, "Seeds each arm is run with: 0, 1, 2 ... [3].", lower_bound=1)
    flags.DEFINE_integer("executions", 1, "How often each seed is repeated [1].", lower_bound=1)
    flags.DEFINE_integer("epochs", None, "Epochs of each trial [the report's].", lower_bound=1)
    flags.DEFINE_float(
        "width_fraction",
        1.0,
        "Width of the MLP's hidden layers, as a fraction of the report's [1].",
        lower_bound=0.001,
        upper_bound=1,
    )
    flags.DEFINE_bool("keep_checkpoints", False, "Keep the model of each trial's best epoch.")
    cli.define_settings(_shared_config())


def refuse_unused(config: ConfigDict) -> None:
    """Refuses settings, those of a training or those that studies share, that no trial would use.

    Raises:
        UserError: If there is one.
    """
    configs.refuse(config, "strategy", _UNUSED["multi_worker"], value="multi_worker")
    for key, why in _UNUSED.items():
        configs.refuse(config, key, why)


def from_flags() -> Options:
    """Returns the options that the command line gives.

    Raises:
        UserError: If a setting would not be used.
    """
    refuse_unused(FLAGS.config)
    settings = flat(FLAGS.config)
    defaults = flat(_shared_config())
    settings = {key: value for key, value in settings.items() if value != defaults[key]}
    name = FLAGS.dataset or settings.pop("dataset.name", defaults["dataset.name"])
    settings.pop("dataset.name", None)
    return Options(
        workdir=Path(FLAGS.workdir),
        dataset=name,
        data_dir=FLAGS.data_dir,
        manual_dir=FLAGS.manual_dir,
        settings=settings,
        **{
            key: FLAGS[key].value
            for key in ("seeds", "executions", "epochs", "width_fraction", "keep_checkpoints")
        },
    )


def config_of(study: Study, arm: Arm, options: Options, seed: int) -> ConfigDict:
    """Returns the settings with which an arm is trained.

    Raises:
        UserError: If a setting is out of range.
    """
    config = configs.get(study.model_of(arm))
    config.dataset.name = options.dataset
    config.seed = seed
    if options.epochs is not None:
        config.epochs = options.epochs
    config.update_from_flattened_dict({**options.settings, **arm.settings})
    if "hidden_units" in config.model:
        units = config.model.hidden_units
        config.model.hidden_units = tuple(
            max(1, round(options.width_fraction * each)) for each in units
        )
    configs.check(config)
    return config


def _shared_config() -> ConfigDict:
    config = default.get_config()
    for key in _NOT_SHARED:
        del config[key]
    return config
