"""What is done with a pipeline: it is run here, or written down for Kubeflow."""

import os
from pathlib import Path

from absl import logging
from tfx import v1 as tfx

from tfseq.tfx import outcome


def run_here(pipeline: tfx.dsl.Pipeline, metadata: Path) -> None:
    """Runs a pipeline, a component after the other, and prints what became of it.

    Args:
        pipeline: The pipeline.
        metadata: Its SQLite file.
    """
    if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
        # TFX warns of itself, and says of an exception that there was one.
        logging.set_verbosity(logging.FATAL)
    metadata.parent.mkdir(parents=True, exist_ok=True)
    tfx.orchestration.LocalDagRunner().run(pipeline)
    print(outcome.summary(metadata))


def write_kubeflow_spec(pipeline: tfx.dsl.Pipeline, image: str, path: Path) -> None:
    """Writes the spec of a pipeline, which Kubeflow Pipelines and Vertex AI run.

    Args:
        pipeline: The pipeline.
        image: A container image with tfseq and TFX, for all components.
        path: A .yaml file for Kubeflow Pipelines, or .json for Vertex AI.
    """
    runner = tfx.orchestration.experimental
    config = runner.KubeflowV2DagRunnerConfig(default_image=image)
    folder, name = str(path.parent), path.name
    runner.KubeflowV2DagRunner(config, output_dir=folder, output_filename=name).run(pipeline)
    print(f"Pipeline spec: {path}")
