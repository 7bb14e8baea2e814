r"""Labels waveforms from a file with an exported model.

  python -m tfseq.predict --saved_model=saved_models/cnn/1 --input=x.npy --output=y.npy
  python -m tfseq.predict --saved_model=saved_models/seqnet/2 --input=x.npy --output=y.npy \
      --interval_output=intervals.npy

The input is an array (records, channels, steps) of any real dtype, the output (records, steps)
float32, that of the intervals, if the model has them, (records, 2, steps): their lower and upper
ends. All are read and written in batches: they may be larger than memory. 10,000 records or more
are labelled by own kernels, or a model that XLA compiles first, in some seconds.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from tfseq import cli, record_files
from tfseq.errors import UserError

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("saved_model", None, "Version folder of an exported model.")
    flags.DEFINE_string("input", None, ".npy file of waveforms (records, channels, steps).")
    flags.DEFINE_string("output", None, ".npy file that the labels (records, steps) go to.")
    flags.DEFINE_string(
        "interval_output", None, ".npy file that the intervals (records, 2, steps) go to."
    )
    flags.DEFINE_integer("batch_size", 128, "Records at a time.", lower_bound=1)


def main() -> None:
    """Runs the command."""
    cli.require("saved_model", "input", "output")
    source, target = Path(FLAGS.input), Path(FLAGS.output)
    interval_target = None if FLAGS.interval_output is None else Path(FLAGS.interval_output)
    record_files.require_folder("--output", target)
    if interval_target:
        record_files.require_folder("--interval_output", interval_target)
    _require_different(("input", "output", "interval_output"))
    waveforms = record_files.Waveforms(source)
    cli.import_tensorflow()
    from tfseq.saved_model import SavedModel

    model = SavedModel(FLAGS.saved_model)
    if waveforms.shape[1:] != model.waveform_shape:
        channels, steps = model.waveform_shape
        raise UserError(
            f"--input: {source} has shape {waveforms.shape}; the model wants "
            f"(records, {channels}, {steps})"
        )
    if interval_target and not model.has_intervals:
        raise UserError(
            f"--interval_output: {FLAGS.saved_model} has no intervals; tfseq.train makes them with "
            "--config.interval.coverage"
        )
    batches = {"batch_size": FLAGS.batch_size}
    label = model.labeller(waveforms.shape[0])
    record_files.label_records(label, waveforms, target=target, **batches)
    print(f"{waveforms.shape[0]} records labelled: {target}")
    if interval_target:
        record_files.label_records(
            model.interval, waveforms, target=interval_target, ends=True, **batches
        )
        print(f"Their intervals: {interval_target}")


def _require_different(names: Sequence[str]) -> None:
    """Refuses flags that name the same file: one would be lost."""
    flag_of = {}
    for name in names:
        if FLAGS[name].value is None:
            continue
        other = flag_of.setdefault(Path(FLAGS[name].value).resolve(), name)
        if other != name:
            raise UserError(f"--{name}: expected another file than --{other}")


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
