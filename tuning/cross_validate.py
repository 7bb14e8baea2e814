r"""Measures a model on groups of records, such as subjects, that it was not trained on.

  python -m tfseq.tuning.cross_validate --config_name=seqnet_few_records \
      --dataset=emg_lower_limb --manual_dir=emg
  python -m tfseq.tuning.cross_validate --model=cnn --dataset=emg_lower_limb --manual_dir=emg \
      --folds=17 --epochs=5
  python -m tfseq.tuning.cross_validate --model=resnet --folds=3 --seeds=3 \
      --config.optimizer.learning_rate=0.01 --workdir=runs/slow

The records of training and validation split are divided by group into folds of about the same size.
For each fold a model is trained on the others, for all its epochs, and measured after the last: no
epoch is chosen on the records that it is measured on, as tfseq.train chooses on the validation
split. The test split is not read.

Prints the error of each group beside that of the mean label, and mean and standard deviation over
groups and folds. Writes results.jsonl, a line for each fold and seed, and cross_validation.json to
the workdir. Started again after a stop or a kill, it trains what has no line yet.
"""

from pathlib import Path

from absl import flags

from tfseq import cli, config_flags, configs
from tfseq.tuning import afresh, distribution, options

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    config_flags.define()
    cli.define_data_flags()
    afresh.define_flag()
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder of the results [runs/cross_validation/<dataset>/<config_name, else model>].",
    )
    flags.DEFINE_integer("folds", 5, "Parts that the groups are divided into [5].", lower_bound=2)
    flags.DEFINE_integer(
        "fold_seed", 0, "Which of several groups of the same size goes where [0].", lower_bound=0
    )
    flags.DEFINE_integer(
        "seeds", 1, "Seeds that each fold is trained with, from --seed on [1].", lower_bound=1
    )


def main() -> None:
    """Runs the command."""
    config = config_flags.settings()
    configs.refuse(
        config,
        "early_stopping",
        "a cross-validation trains for all epochs, lest the records that it measures on choose one",
    )
    options.refuse_unused(config)
    name = config_flags.run_name(config)
    workdir = Path(FLAGS.workdir or Path("runs", "cross_validation", config.dataset.name, name))
    cli.require_writable("--workdir", workdir)
    distribution.check_environment()
    cli.import_tensorflow()
    from tfseq.tuning import cross_validation_run

    cross_validation_run.run(
        config,
        workdir,
        number=FLAGS.folds,
        fold_seed=FLAGS.fold_seed,
        seeds=FLAGS.seeds,
        data_dir=FLAGS.data_dir,
        manual_dir=FLAGS.manual_dir,
    )


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
