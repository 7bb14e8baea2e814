r"""Builds a data set, here or on the workers of Apache Beam.

  python -m tfseq.build --dataset=record_sets --manual_dir=my_sets
  python -m tfseq.build --dataset=record_sets --manual_dir=my_sets \
      --beam_pipeline_options=runner=DirectRunner,direct_running_mode=multi_processing

Every other command builds a data set that is not there; this one is for what takes long. Beam comes
with pip install 'tfseq[beam]'. Its workers have to see --manual_dir and --data_dir.
"""

from absl import flags

from tfseq import cli, dataset_flags

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    dataset_flags.define()
    flags.DEFINE_string(
        "beam_pipeline_options",
        None,
        "Build with Apache Beam: its options with commas between, such as runner=DirectRunner.",
    )


def main() -> None:
    """Runs the command."""
    cli.require("dataset")
    cli.import_tensorflow()
    builder = dataset_flags.load(beam_pipeline_options=FLAGS.beam_pipeline_options)
    for name, split in builder.info.splits.items():
        print(f"{name}: {split.num_examples} records in {split.num_shards} files")
    print(f"{builder.info.full_name}: {builder.data_dir}")


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
