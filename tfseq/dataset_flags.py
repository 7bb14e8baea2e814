"""The flags that name a data set, with its own settings, for the commands that look at one."""

from typing import TYPE_CHECKING

from absl import flags
from ml_collections import ConfigDict

from tfseq import cli
from tfseq.configs import default

if TYPE_CHECKING:
    from tfseq.datasets.record_builder import RecordBuilder

FLAGS = flags.FLAGS


def define() -> None:
    """Defines --dataset, --manual_dir, --data_dir and --config.dataset.*."""
    cli.define_data_flags()
    settings = default.get_config().dataset
    del settings.name
    cli.define_settings(ConfigDict({"dataset": settings}))


def load(beam_pipeline_options: str | None = None) -> "RecordBuilder":
    """Returns the builder that the flags name; builds its records if need be.

    Args:
        beam_pipeline_options: Options of Apache Beam, to build with it.

    Raises:
        UserError: If a flag is not as expected.
    """
    from tfseq import datasets

    return datasets.load(
        FLAGS.dataset,
        data_dir=FLAGS.data_dir,
        manual_dir=FLAGS.manual_dir,
        beam_pipeline_options=beam_pipeline_options,
        **FLAGS.config.dataset.to_dict(),
    )
