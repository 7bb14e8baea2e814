r"""Prints statistics of a data set, split by split: of every channel and of the label.

  python -m tfseq.statistics_gen --dataset=simulated_emg
  python -m tfseq.statistics_gen --dataset=emg_lower_limb --manual_dir=emg \
      --splits=train,validation --output=statistics
  python -m tfseq.statistics_gen --dataset=emg_lower_limb --manual_dir=emg \
      --config.dataset.scaling=standardized

With --output, a folder Split-<split> is written for every split, with statistics.txt, what is
printed, and FeatureStats.pb, which `tfdv.load_stats_binary` of TensorFlow Data Validation reads.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from tfseq import atomic_file, cli, dataset_flags

if TYPE_CHECKING:
    from tfseq.example_gen import Split
    from tfseq.record_statistics import RecordStatistics

FLAGS = flags.FLAGS
BATCH_SIZE = 64
"""Records read at a time."""


def generate(split: "Split") -> "RecordStatistics":
    """Returns the statistics of a split, in one pass and in memory that does not depend on it."""
    from tfseq import example_gen
    from tfseq.record_statistics import RecordStatistics

    statistics = RecordStatistics()
    for waveforms, labels in example_gen.evaluation_batches(split, BATCH_SIZE).as_numpy_iterator():
        statistics.add(waveforms, labels)
    return statistics


def write(statistics: "RecordStatistics", split: str, folder: Path) -> None:
    """Writes `Split-<split>/FeatureStats.pb`, as TFX does, and `statistics.txt` beside it.

    Args:
        statistics: The statistics.
        split: The split that they are of.
        folder: Where the folder of the split goes.
    """
    from tfseq import statistics_proto, statistics_table

    target = folder / f"Split-{split}"
    serialized = statistics_proto.to_proto({split: statistics}).SerializeToString()
    atomic_file.write(target / "FeatureStats.pb", serialized)
    atomic_file.write(target / "statistics.txt", f"{statistics_table.table(statistics, split)}\n")


def define_flags() -> None:
    """Defines the flags."""
    dataset_flags.define()
    flags.DEFINE_list("splits", None, "Splits, or parts such as train[:10%] [all splits].")
    flags.DEFINE_string("output", None, "Also write the statistics to this folder.")


def main() -> None:
    """Runs the command."""
    cli.require("dataset")
    if FLAGS.output:
        cli.require_writable("--output", Path(FLAGS.output))
    cli.import_tensorflow()
    from tfseq import record_integrity, statistics_table
    from tfseq.example_gen import Split

    builder = dataset_flags.load()
    splits = [Split(builder, name) for name in FLAGS.splits or builder.info.splits]
    for split in splits:
        with record_integrity.named(builder):
            statistics = generate(split)
        print(f"{FLAGS.dataset}, {statistics_table.table(statistics, split.name)}\n", flush=True)
        if FLAGS.output:
            write(statistics, split.name, Path(FLAGS.output))
    if FLAGS.output:
        print(f"FeatureStats.pb and statistics.txt of every split: {FLAGS.output}")


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
