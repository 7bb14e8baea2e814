r"""Runs tfseq as a TFX pipeline: from the records of a data set to a pushed, blessed model.

  python -m tfseq.pipeline --model=seqnet --dataset=simulated_emg --pipeline_root=pipelines/seqnet
  python -m tfseq.pipeline --model=cnn --pipeline_root=pipelines/cnn --tuner=random --max_trials=9
  python -m tfseq.pipeline --model=cnn --pipeline_root=gs://bucket/cnn --metadata=cnn.sqlite \
      --data_dir=gs://bucket/data --beam_pipeline_args=--runner=DataflowRunner \
      --beam_pipeline_args=--project=mine
  python -m tfseq.pipeline --model=cnn --pipeline_root=gs://bucket/cnn --runner=kubeflow \
      --image=registry/tfseq-tfx --output=cnn.yaml

Needs TFX, which `make tfx` installs into .venv-tfx. What has been done with the same records,
settings and code is taken from the cache. docs/tfx.md says what each component does.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags
from absl import logging as absl_logging
from ml_collections import ConfigDict

from tfseq import cli, config_flags, schema
from tfseq.errors import UserError

if TYPE_CHECKING:
    from tfx import v1 as tfx

    from tfseq.tfx.components import Records

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    config_flags.define()
    cli.define_data_flags()
    flags.DEFINE_integer("epochs", None, "Epochs to train.")
    flags.DEFINE_integer("batch_size", None, "Records a training step.")
    flags.DEFINE_integer("seed", None, "Seed of the weights, the dropout and the order of records.")
    flags.DEFINE_string("pipeline_root", None, "Folder of all that the components write.")
    flags.DEFINE_string("metadata", None, "SQLite file [<pipeline_root>/metadata.sqlite].")
    flags.DEFINE_string(
        "export_dir", "saved_models", "The model is pushed to <export_dir>/<model>/<version>."
    )
    flags.DEFINE_string("schema", str(schema.PATH), "Schema of the records [tfseq/schema.pbtxt].")
    flags.DEFINE_enum(
        "tuner",
        None,
        ["hyperband", "bayesian", "random"],
        "Look for better settings first, as tfseq.tuning.tune does [no].",
    )
    flags.DEFINE_integer("max_trials", 30, "Trials of a search, but for hyperband.", lower_bound=1)
    flags.DEFINE_bool("infra_validator", False, "Try the model in TF Serving; needs Docker.")
    flags.DEFINE_bool("cache", True, "Take from the cache what has been done.")
    flags.DEFINE_multi_string("beam_pipeline_args", [], "An option of Beam's; may be repeated.")
    flags.DEFINE_enum("runner", "local", ["local", "kubeflow"], "Run here, or write the spec.")
    flags.DEFINE_string("records", None, "Where a cluster finds the records [<data_dir>/...].")
    flags.DEFINE_string("image", None, "Kubeflow: a container image with tfseq and TFX.")
    flags.DEFINE_string("output", "pipeline.yaml", "Kubeflow: the spec, .yaml or .json.")


def main() -> None:
    """Runs the command."""
    cli.require("pipeline_root")
    config = _settings()
    local = FLAGS.runner == "local"
    if local:
        cli.require_writable("--export_dir", Path(FLAGS.export_dir, config.model.name))
    cli.import_tensorflow()
    from tfseq.tfx import installation

    installation.require(_optional())
    if FLAGS.runner == "local":
        _quiet()
    from tfseq import datasets
    from tfseq.tfx.components import Records

    given = config.dataset.to_dict()
    builder = datasets.load(
        given.pop("name"), data_dir=FLAGS.data_dir, manual_dir=FLAGS.manual_dir, **given
    )
    pipeline = create(config, Records.of(builder, FLAGS.records))
    if FLAGS.runner == "kubeflow":
        _compile(pipeline)
        return
    from tfx import v1 as tfx

    from tfseq.tfx import outcome

    tfx.orchestration.LocalDagRunner().run(pipeline)
    print(outcome.summary(_metadata_path()))


def create(config: ConfigDict, records: "Records") -> "tfx.dsl.Pipeline":
    """Returns the pipeline that the flags describe, for any of TFX's runners.

    Args:
        config: The settings of the training.
        records: The records.
    """
    from tfx import v1 as tfx

    from tfseq.tfx import components

    example_gen = components.examples(records)
    examples = example_gen[-1].outputs["viewed"]
    checks = components.checks(examples, FLAGS.schema)
    schema_of_records = checks[1].outputs["schema"]
    transform = components.transform(examples, schema_of_records)
    transform.add_upstream_node(checks[-1])
    search = {"kind": FLAGS.tuner, "max_trials": FLAGS.max_trials} if FLAGS.tuner else None
    training = components.training(transform, config, records.dataset, search)
    model = training[-1].outputs["model"]
    verdict = components.verdict(examples, model, schema_of_records, records.scored_split)
    blessings = {"model_blessing": verdict[-1].outputs["blessing"]}
    if FLAGS.infra_validator:
        verdict.append(components.infra_validator(examples, model))
        blessings["infra_blessing"] = verdict[-1].outputs["blessing"]
    base = f"{FLAGS.export_dir}/{config.model.name}"
    pusher = components.pusher(model, blessings, base if "://" in base else os.path.abspath(base))
    return tfx.dsl.Pipeline(
        pipeline_name=f"tfseq-{config.model.name}-{config.dataset.name}".replace("_", "-"),
        pipeline_root=FLAGS.pipeline_root,
        components=[*example_gen, *checks, transform, *training, *verdict, pusher],
        enable_cache=FLAGS.cache,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(_metadata_path())
        ),
        beam_pipeline_args=FLAGS.beam_pipeline_args,
    )


def _metadata_path() -> Path:
    return Path(FLAGS.metadata or Path(FLAGS.pipeline_root, "metadata.sqlite"))


def _settings() -> ConfigDict:
    config = config_flags.settings()
    for key in ("train", "validation"):
        name = config.data[f"{key}_split"]
        if name != key:
            raise UserError(
                f"--config.data.{key}_split: a pipeline reads the whole split {key}, not {name!r}"
            )
    return config


def _optional() -> list[str]:
    return ["Tuner"] * bool(FLAGS.tuner) + ["InfraValidator"] * FLAGS.infra_validator


def _quiet() -> None:
    """Drops the warnings that TFX gives of itself, unless TF_CPP_MIN_LOG_LEVEL asks for them."""
    absl_logging.set_verbosity(absl_logging.ERROR)


def _compile(pipeline: "tfx.dsl.Pipeline") -> None:
    from tfx import v1 as tfx

    runner = tfx.orchestration.experimental
    config = runner.KubeflowV2DagRunnerConfig(default_image=FLAGS.image)
    folder, name = os.path.split(FLAGS.output)
    runner.KubeflowV2DagRunner(config, output_dir=folder or ".", output_filename=name).run(pipeline)
    print(f"Pipeline spec: {FLAGS.output}")


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
