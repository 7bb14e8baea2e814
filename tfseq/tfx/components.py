"""The components of the pipeline, stage by stage, each wired to those before it."""

import dataclasses
from typing import Any

from ml_collections import ConfigDict
from tfx import v1 as tfx
from tfx.proto import example_gen_pb2

from tfseq.datasets.record_builder import RecordBuilder
from tfseq.example_gen import Split
from tfseq.tfx import anomaly_gate, evaluation, record_view, settings

Component = Any
"""A node of a pipeline; its `outputs` are channels by name."""
Channel = Any

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclasses.dataclass(frozen=True)
class Records:
    """Where the records are, and what they are.

    Attributes:
        folder: Of the TFRecord files that a data set's builder wrote.
        patterns: Their names, by split.
        waveform_shape: (channels, steps) of each.
        dataset: The data set's full name with its version.
    """

    folder: str
    patterns: dict[str, str]
    waveform_shape: tuple[int, int]
    dataset: str

    @classmethod
    def of(cls, builder: RecordBuilder, folder: str | None = None) -> "Records":
        """Returns the records of a data set.

        Args:
            builder: Its builder; the records are on disk.
            folder: Where a cluster finds a copy of them.

        Raises:
            UserError: If there are none to train on, or to choose the best epoch by.
        """
        for name in (TRAIN, VALIDATION):
            Split(builder, name)
        splits = [name for name in (TRAIN, VALIDATION, TEST) if name in builder.info.splits]
        return cls(
            folder or str(builder.data_path),
            {name: f"{builder.name}-{name}.tfrecord*" for name in splits},
            builder.info.features["waveform"].shape,
            builder.info.full_name,
        )

    @property
    def scored_split(self) -> str:
        """The split that a model is measured on before it is pushed."""
        return TEST if TEST in self.patterns else VALIDATION


def examples(records: Records) -> list[Component]:
    """Returns ImportExampleGen, and the view through which the others read its examples."""
    splits = [
        tfx.proto.Input.Split(name=name, pattern=pattern)
        for name, pattern in records.patterns.items()
    ]
    example_gen = tfx.components.ImportExampleGen(
        input_base=records.folder,
        input_config=tfx.proto.Input(splits=splits),
        # Examples like any others, but only what is called a proto can be read by a DataView.
        payload_format=example_gen_pb2.FORMAT_PROTO,
    )
    channels, steps = records.waveform_shape
    view = record_view.record_view(
        examples=example_gen.outputs["examples"], channels=channels, steps=steps
    )
    return [example_gen, view.with_id("RecordView")]


def checks(read: Channel, schema_file: str) -> list[Component]:
    """Returns the components from StatisticsGen to the gate, which ends a pipeline with anomalies.

    Args:
        read: The examples.
        schema_file: A schema such as tfseq/schema.pbtxt.
    """
    statistics_gen = tfx.components.StatisticsGen(examples=read)
    schema_gen = tfx.components.ImportSchemaGen(schema_file=schema_file)
    validator = tfx.components.ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    )
    gate = anomaly_gate.anomaly_gate(anomalies=validator.outputs["anomalies"])
    return [statistics_gen, schema_gen, validator, gate.with_id("AnomalyGate")]


def transform(read: Channel, schema: Channel) -> Component:
    """Returns the Transform."""
    return tfx.components.Transform(
        examples=read,
        schema=schema,
        preprocessing_fn="tfseq.transform.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=[TRAIN], transform=[TRAIN, VALIDATION]),
        # StatisticsGen has them: nothing but the names changes here.
        disable_statistics=True,
    )


def training(
    transformed: Component, config: ConfigDict, dataset: str, search: dict[str, Any] | None
) -> list[Component]:
    """Returns the Tuner, if there is a search, and the Trainer.

    Args:
        transformed: The Transform.
        config: The settings.
        dataset: The data set's full name, for the model card.
        search: What `tfseq.tuner.tuner_fn` is to know of a search; None for none.
    """
    common = {
        "examples": transformed.outputs["transformed_examples"],
        "transform_graph": transformed.outputs["transform_graph"],
        "train_args": tfx.proto.TrainArgs(splits=[TRAIN]),
        "eval_args": tfx.proto.EvalArgs(splits=[VALIDATION]),
    }
    custom = {**settings.to_json(config), "dataset": dataset, "source": settings.source()}
    found = []
    if search is not None:
        tuner = tfx.components.Tuner(
            tuner_fn="tfseq.tuner.tuner_fn", custom_config=custom | {"search": search}, **common
        )
        found.append(tuner)
        common["hyperparameters"] = tuner.outputs["best_hyperparameters"]
    run_fn = "tfseq.trainer.run_fn"
    return [*found, tfx.components.Trainer(run_fn=run_fn, custom_config=custom, **common)]


def verdict(read: Channel, model: Channel, schema: Channel, split: str) -> list[Component]:
    """Returns the Resolver of the model that was blessed last, and the Evaluator.

    Args:
        read: The examples.
        model: The Trainer's.
        schema: The schema.
        split: What the models are measured on.
    """
    artifacts = tfx.types.standard_artifacts
    resolver = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=artifacts.ModelBlessing),
    )
    evaluator = tfx.components.Evaluator(
        examples=read,
        model=model,
        baseline_model=resolver.outputs["model"],
        example_splits=[split],
        eval_config=evaluation.config(),
        schema=schema,
    )
    return [resolver.with_id("LatestBlessedModel"), evaluator]


def infra_validator(read: Channel, model: Channel) -> Component:
    """Returns the InfraValidator: it has TF Serving, in Docker, answer a few examples."""
    proto = tfx.proto
    serving = proto.ServingSpec(
        tensorflow_serving=proto.TensorFlowServing(tags=["latest"]),
        local_docker=proto.LocalDockerConfig(),
    )
    request = proto.RequestSpec(
        tensorflow_serving=proto.TensorFlowServingRequestSpec(signature_names=["serving_examples"])
    )
    return tfx.components.InfraValidator(
        model=model, examples=read, serving_spec=serving, request_spec=request
    )


def pusher(model: Channel, blessings: dict[str, Channel], base: str) -> Component:
    """Returns the Pusher.

    Args:
        model: The Trainer's.
        blessings: What must bless the model: `model_blessing` and `infra_blessing`.
        base: The folder of the model's versions.
    """
    filesystem = tfx.proto.PushDestination.Filesystem(base_directory=base)
    return tfx.components.Pusher(
        model=model,
        push_destination=tfx.proto.PushDestination(filesystem=filesystem),
        **blessings,
    )
