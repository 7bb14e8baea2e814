r"""Answers the report's claims: trains each arm of a study with the same seeds and data order.

  python -m tfseq.tuning.search --list
  python -m tfseq.tuning.search --study=cnn/optimizer
  python -m tfseq.tuning.search --study='mlp/*' --width_fraction=0.1 --seeds=5
  python -m tfseq.tuning.search --study=cnn/head,resnet/optimizer --dataset=emg_lower_limb \
      --manual_dir=emg --epochs=5
  python -m tfseq.tuning.search --all --config.data.train_split='train[:1000]'

Results: <workdir>/<data set>/<study>/results.jsonl, a line a trial, and logs/ for TensorBoard.
Started again after a stop or a kill, it runs the trials that have no line yet.
Verdicts and figures: python -m tfseq.tuning.report
"""

from absl import flags

from tfseq import cli
from tfseq.errors import UserError
from tfseq.tuning import distribution, kinds, options, studies, study

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_list("study", [], "Studies, or patterns such as 'mlp/*'; see --list.")
    flags.DEFINE_bool("all", False, "Run all studies.")
    flags.DEFINE_bool("list", False, "Show the studies with what they cost, and run none.")
    options.define_flags()
    flags.DEFINE_enum(
        "tuner",
        kinds.GRID,
        kinds.KINDS,
        "grid runs every arm with every seed; the others look for the best arm [grid].",
    )
    flags.DEFINE_integer(
        "max_trials", None, "Trials of a search at most [as many as there are].", lower_bound=1
    )


def main() -> None:
    """Runs the command."""
    chosen = _chosen()
    given = options.from_flags()
    if FLAGS.list:
        from tfseq.tuning import costs

        print(costs.table(chosen, given))
        return
    cli.require_writable("--workdir", given.workdir)
    distribution.check_environment()
    cli.import_tensorflow()
    from tfseq.tuning import running

    running.run(chosen, given, tuner=FLAGS.tuner, max_trials=FLAGS.max_trials)


def _chosen() -> list[study.Study]:
    if FLAGS.study and FLAGS.all:
        raise UserError("give either --study or --all; see --help")
    if FLAGS.study:
        return study.find(studies.ALL, FLAGS.study)
    if not (FLAGS.all or FLAGS.list):
        raise UserError("--study or --all is missing; --list shows the studies")
    return list(studies.ALL)


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
