r"""Draws a data set (figures 1 to 7) or a finished run (figures 8 to 10).

  python -m tfseq.figures --dataset=simulated_emg
  python -m tfseq.figures --dataset=emg_lower_limb --manual_dir=emg --split=validation \
      --records=0,15 --format=png,pdf
  python -m tfseq.figures --dataset=record_sets --manual_dir=my_sets \
      --config.dataset.label_range=0,100
  python -m tfseq.figures --workdir=runs/simulated_emg/cnn --out=runs/simulated_emg/cnn/figures

Figures of a file's name that is there already are replaced.
"""

from pathlib import Path

from absl import flags

from tfseq import cli, dataset_flags
from tfseq.errors import UserError

FLAGS = flags.FLAGS

_FORMATS = ("png", "svg", "pdf")


def define_flags() -> None:
    """Defines the flags."""
    dataset_flags.define()
    flags.DEFINE_string("workdir", None, "Folder of a finished run, instead of --dataset.")
    flags.DEFINE_string("split", None, "Split such as train[:100] [train; a run: what it scored].")
    flags.DEFINE_string("records", None, "Positions in the split of the two records drawn [0,15].")
    flags.DEFINE_string("out", "figures", "Folder that the figures go to [figures].")
    flags.DEFINE_list("format", "png", "One or more of png, svg, pdf [png].")
    flags.DEFINE_integer(
        "dpi", 150, "Dots per inch of a PNG [150].", lower_bound=20, upper_bound=1200
    )
    flags.DEFINE_bool("raw_lines", False, "Draw all labels as lines in figure 5, not as bands.")


def main() -> None:
    """Runs the command."""
    _check()
    out = Path(FLAGS.out)
    cli.require_writable("--out", out)
    finished = None
    if FLAGS.workdir is not None:
        from tfseq.figures import run

        finished = run.read(Path(FLAGS.workdir))
    cli.import_tensorflow()
    from tfseq import record_integrity
    from tfseq.figures import drawing, style

    if finished:
        builder = drawing.data_set_of(
            finished, data_dir=FLAGS.data_dir, manual_dir=FLAGS.manual_dir
        )
        figures = drawing.of_run(finished, builder, FLAGS.split)
    else:
        builder = dataset_flags.load()
        split = FLAGS.split or "train"
        figures = drawing.of_data_set(builder, split, FLAGS.records, raw_lines=FLAGS.raw_lines)
    with record_integrity.named(builder):
        for name, figure in figures:
            out.mkdir(parents=True, exist_ok=True)
            paths = [out / f"{name}.{suffix}" for suffix in FLAGS.format]
            for path in paths:
                style.save(figure, path, FLAGS.dpi)
            print(" ".join(map(str, paths)), flush=True)


def _check() -> None:
    """Refuses what no data set and no run could draw."""
    if (FLAGS.dataset is None) == (FLAGS.workdir is None):
        raise UserError("give either --dataset or --workdir; see --help")
    unknown = [suffix for suffix in FLAGS.format if suffix not in _FORMATS]
    if unknown or not FLAGS.format:
        given = ",".join(unknown)
        raise UserError(f"--format: {given!r} is none of {', '.join(_FORMATS)}")
    if FLAGS.workdir is not None and (FLAGS.records is not None or FLAGS.raw_lines):
        raise UserError("--records and --raw_lines belong to --dataset; see --help")


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
