"""Runs `python -m tfseq.pipeline` on small data, and reads what TFX wrote of it."""

import dataclasses
from pathlib import Path

import command
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import v1 as tfx
from tfx.orchestration import metadata

GOOD = {
    "cnn": ("--config_name=cnn_time", "--epochs=10"),
    "resnet": (
        *("--config_name=resnet_time", "--config.optimizer.learning_rate=0.1", "--epochs=10"),
        *("--config.interval.coverage=0.8", "--config.interval.epochs=1"),
        "--beam_pipeline_args=--direct_running_mode=multi_processing",
        "--beam_pipeline_args=--direct_num_workers=2",
    ),
}
"""The flags with which each model beats predicting the mean on a few records, by far.

Beam's workers of one are processes of their own, as on a cluster.
"""
SMALL = (*command.RECORDS, "--batch_size=5")

_LIMIT_SECONDS = 900


@dataclasses.dataclass(frozen=True)
class Run:
    """A run of the pipeline that has ended."""

    folder: Path
    finished: command.Finished

    def output(self, component, name):
        """Returns the folder that a component wrote last."""
        folders = (self.folder / "root" / component / name).iterdir()
        return max(folders, key=lambda folder: int(folder.name))

    def pushed(self):
        """Returns the version folders, oldest first."""
        return sorted((self.folder / "exports").glob("*/*"), key=lambda path: int(path.name))


def run(folder, *arguments, **environment):
    """Runs the pipeline; `root` and `exports` are in the folder."""
    folder.mkdir(exist_ok=True)
    places = ("--pipeline_root=root", "--export_dir=exports")
    process = command.start("pipeline", *arguments, *places, cwd=folder, **environment)
    return Run(folder, command.finish(process, limit=_LIMIT_SECONDS))


def states(run):
    """Returns by component what the last run says that it did."""
    lines = (line.split(maxsplit=1) for line in run.finished.stdout.splitlines())
    return dict(parts for parts in lines if len(parts) == 2)


def artifacts(run):
    """Returns all artifacts of all runs, by type, as the metadata has them."""
    path = str(run.folder / "root" / "metadata.sqlite")
    config = tfx.orchestration.metadata.sqlite_metadata_connection_config(path)
    with metadata.Metadata(config) as handle:
        found = {}
        for artifact in handle.store.get_artifacts():
            assert artifact.state == mlmd.Artifact.LIVE
            found.setdefault(artifact.type, []).append(artifact)
    return found
