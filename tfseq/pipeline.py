r"""Runs tfseq as a TFX pipeline: from the records of a data set to a pushed, blessed model.

  python -m tfseq.pipeline --model=seqnet --pipeline_root=pipelines/seqnet
  python -m tfseq.pipeline --config_name=cnn_time --pipeline_root=pipelines/cnn \
      --tuner=random --max_trials=9
  python -m tfseq.pipeline --model=seqnet --pipeline_root=gs://bucket/seqnet \
      --metadata=seqnet.sqlite --data_dir=gs://bucket/data --export_dir=gs://bucket/models \
      --beam_pipeline_args=--runner=DataflowRunner --beam_pipeline_args=--project=mine
  python -m tfseq.pipeline --model=seqnet --pipeline_root=gs://bucket/seqnet --runner=kubeflow \
      --records=gs://bucket/records --export_dir=gs://bucket/models --image=registry/tfseq \
      --output=seqnet.yaml

Needs TFX, which `make tfx` installs into .venv-tfx: .venv-tfx/bin/python -m tfseq.pipeline. What
has been done before, with the same records and settings, is taken from the cache. docs/tfx.md says
what each component does.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags
from ml_collections import ConfigDict

from tfseq import cli, config_flags, schema
from tfseq.errors import UserError
from tfseq.tfx import settings
from tfseq.tuning import kinds

if TYPE_CHECKING:
    from tfx import v1 as tfx

    from tfseq.tfx.components import Records

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    config_flags.define()
    cli.define_data_flags()
    flags.DEFINE_string("pipeline_root", None, "Folder of all that the components write.")
    flags.DEFINE_string("metadata", None, "SQLite file [<pipeline_root>/metadata.sqlite].")
    flags.DEFINE_string(
        "export_dir", "saved_models", "The model is pushed to <export_dir>/<model>/<version>."
    )
    flags.DEFINE_string("schema", str(schema.PATH), "What a record is [tfseq/schema.pbtxt].")
    kinds.define_flags(None, "Look for better settings first, as tfseq.tuning.tune does [do not].")
    flags.DEFINE_bool("infra_validator", False, "Try the model in TF Serving; needs Docker.")
    flags.DEFINE_bool("cache", True, "Take from the cache what has been done [true].")
    flags.DEFINE_multi_string("beam_pipeline_args", [], "An option for Beam; may be repeated.")
    flags.DEFINE_enum("runner", "local", ["local", "kubeflow"], "Run here, or write the spec.")
    flags.DEFINE_string("records", None, "For kubeflow: the folder of the records on the cluster.")
    flags.DEFINE_string("image", None, "For kubeflow: a container image with tfseq and TFX.")
    flags.DEFINE_string("output", "pipeline.yaml", "For kubeflow: the spec, .yaml or .json.")


@dataclasses.dataclass(frozen=True)
class Options:
    """How a pipeline is put together.

    Attributes:
        name: Of the pipeline: its runs share a cache and a model that was blessed last.
        pipeline_root: Where the components write.
        metadata: The SQLite file of the metadata; None where the cluster keeps them.
        push_to: The folder of the model's versions.
        schema: A file such as tfseq/schema.pbtxt.
        search: What `tfseq.tuner.tuner_fn` is to know of a search; None for no Tuner.
        infra_validator: Whether TF Serving has to answer.
        cache: Whether what has been done is taken from the cache.
        beam_pipeline_args: Beam's options, for the components that read all records.
    """

    name: str
    pipeline_root: str
    metadata: Path | None
    push_to: str
    schema: str = str(schema.PATH)
    search: dict[str, Any] | None = None
    infra_validator: bool = False
    cache: bool = True
    beam_pipeline_args: Sequence[str] = ()


def create(config: ConfigDict, records: "Records", options: Options) -> "tfx.dsl.Pipeline":
    """Returns the pipeline, for any of TFX's runners.

    Args:
        config: The settings of the training.
        records: The records.
        options: How it is put together.
    """
    from tfx import v1 as tfx

    from tfseq.tfx import components

    example_gen, view = components.examples(records)
    examples = view.outputs["viewed"]
    *checks, gate = components.checks(examples, options.schema)
    schema_of_records = checks[1].outputs["schema"]
    transform = components.transform(examples, schema_of_records)
    transform.add_upstream_node(gate)
    training = components.training(transform, config, records.dataset, options.search)
    model = training[-1].outputs["model"]
    verdict = components.verdict(examples, model, schema_of_records, records.scored_split)
    blessings = {"model_blessing": verdict[-1].outputs["blessing"]}
    if options.infra_validator:
        verdict.append(components.infra_validator(examples, model))
        blessings["infra_blessing"] = verdict[-1].outputs["blessing"]
    pusher = components.pusher(model, blessings, options.push_to)
    connection = None
    if options.metadata is not None:
        sqlite = tfx.orchestration.metadata.sqlite_metadata_connection_config
        connection = sqlite(str(options.metadata))
    return tfx.dsl.Pipeline(
        pipeline_name=options.name,
        pipeline_root=options.pipeline_root,
        components=[example_gen, view, *checks, gate, transform, *training, *verdict, pusher],
        enable_cache=options.cache,
        metadata_connection_config=connection,
        # Beam's workers import TFX first, or older TensorFlow Data Validation cannot be imported.
        beam_pipeline_args=["--beam_plugin=tfx", *options.beam_pipeline_args],
    )


def main() -> None:
    """Runs the command."""
    cli.require("pipeline_root")
    config = _settings()
    options = _options(config)
    if FLAGS.runner == "kubeflow":
        _check_kubeflow()
    else:
        _check_local(options)
    cli.import_tensorflow()
    from tfseq.tfx import installation

    installation.require(_optional_components())
    from tfseq import datasets
    from tfseq.tfx import runners
    from tfseq.tfx.components import Records

    dataset = config.dataset.to_dict()
    builder = datasets.load(
        dataset.pop("name"), data_dir=FLAGS.data_dir, manual_dir=FLAGS.manual_dir, **dataset
    )
    pipeline = create(config, Records.of(builder, FLAGS.records), options)
    if FLAGS.runner == "kubeflow":
        runners.write_kubeflow_spec(pipeline, FLAGS.image, Path(FLAGS.output))
    else:
        runners.run_here(pipeline, options.metadata)


def _settings() -> ConfigDict:
    config = config_flags.settings()
    settings.refuse_unused(config)
    return config


def _options(config: ConfigDict) -> Options:
    run = f"{config_flags.run_name(config)}-{config.dataset.name}"
    root = _absolute(FLAGS.pipeline_root)
    metadata = Path(FLAGS.metadata or Path(root, "metadata.sqlite"))
    search = {"kind": FLAGS.tuner, "max_trials": FLAGS.max_trials}
    return Options(
        name=f"tfseq-{run}".replace("_", "-"),
        pipeline_root=root,
        metadata=metadata if FLAGS.runner == "local" else None,
        push_to=f"{_absolute(FLAGS.export_dir)}/{config.model.name}",
        schema=_absolute(FLAGS.schema),
        search=search if FLAGS.tuner else None,
        infra_validator=FLAGS.infra_validator,
        cache=FLAGS.cache,
        beam_pipeline_args=FLAGS.beam_pipeline_args,
    )


def _absolute(place: str) -> str:
    """Returns a folder as the metadata are to know it, from wherever they are read."""
    return place if "://" in place else str(Path(place).absolute())


def _check_local(options: Options) -> None:
    if "://" not in options.pipeline_root:
        cli.require_writable("--pipeline_root", Path(options.pipeline_root))
    elif FLAGS.metadata is None:
        raise UserError(
            f"--metadata is missing: SQLite cannot write to {options.pipeline_root}; name a file"
        )
    if "://" not in options.push_to:
        cli.require_writable("--export_dir", Path(options.push_to))
    if "://" not in options.schema and not Path(options.schema).is_file():
        raise UserError(f"--schema: there is no file {options.schema}")


def _check_kubeflow() -> None:
    cli.require("image", "records")
    cli.require_writable("--output", Path(FLAGS.output).absolute().parent)
    if FLAGS.infra_validator:
        raise UserError("--infra_validator: TFX's Kubeflow runner has no InfraValidator")


def _optional_components() -> list[str]:
    wanted = {"Tuner": FLAGS.tuner is not None, "InfraValidator": FLAGS.infra_validator}
    return [name for name, is_wanted in wanted.items() if is_wanted]


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
