r"""Looks for better settings of a model on your data, and writes them down.

  python -m tfseq.tuning.tune --model=cnn
  python -m tfseq.tuning.tune --model=seqnet --dataset=record_sets --manual_dir=my_sets --epochs=9
  python -m tfseq.tuning.tune --model=mlp --tuner=bayesian --max_trials=20 \
      --config.model.hidden_units=800,600,400

Varies optimizer, learning rate, momentum, schedule, dropout, activation, initializer,
normalization, layout and width around the settings of the model, which are tried first. Those with
the lowest validation loss go to <workdir>/best_config.json, for tfseq.train --config_file. Started
again, it goes on.
"""

from pathlib import Path

from absl import flags

from tfseq import cli, config_flags
from tfseq.tuning import afresh, distribution, kinds, options

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    config_flags.define()
    cli.define_data_flags()
    afresh.define_flag()
    flags.DEFINE_string(
        "workdir", None, "Folder of the search [runs/tune/<dataset>/<config_name, else model>]."
    )
    kinds.define_flags("hyperband", "How to search [hyperband].")
    flags.DEFINE_bool("keep_checkpoints", False, "Keep the model of each trial's best epoch.")


def main() -> None:
    """Runs the command."""
    config = config_flags.settings()
    options.refuse_unused(config)
    name = config_flags.run_name(config)
    workdir = Path(FLAGS.workdir or Path("runs", "tune", config.dataset.name, name))
    cli.require_writable("--workdir", workdir)
    distribution.check_environment()
    cli.import_tensorflow()
    from tfseq.tuning import tuning_run

    tuning_run.run(
        config,
        workdir,
        kind=FLAGS.tuner,
        max_trials=FLAGS.max_trials,
        data_dir=FLAGS.data_dir,
        manual_dir=FLAGS.manual_dir,
        keep_checkpoints=FLAGS.keep_checkpoints,
    )


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
