"""The same pipeline compiles for Kubeflow, with a container for every component."""

import command
import pytest
import yaml

COMPONENTS = {
    *("ImportExampleGen", "RecordView", "StatisticsGen", "ImportSchemaGen", "ExampleValidator"),
    *("AnomalyGate", "Transform", "Tuner", "Trainer", "Evaluator", "Pusher"),
}


@pytest.fixture(scope="module")
def spec(builder, data_dir, tmp_path_factory):
    """The spec of a pipeline with a Tuner, whose data Dataflow reads."""
    folder = tmp_path_factory.mktemp("kubeflow")
    done = command.run(
        "pipeline",
        *("--model=cnn", *command.RECORDS, f"--data_dir={data_dir}", "--tuner=random"),
        *("--pipeline_root=gs://bucket/root", "--export_dir=gs://bucket/models"),
        *("--records=gs://bucket/records", "--schema=gs://bucket/schema.pbtxt"),
        *("--runner=kubeflow", "--image=registry/tfseq", "--output=cnn.yaml"),
        *("--beam_pipeline_args=--runner=DataflowRunner", "--beam_pipeline_args=--project=mine"),
        cwd=folder,
    ).check()
    assert done.stdout.splitlines()[-1] == "Pipeline spec: cnn.yaml"
    assert [path.name for path in folder.iterdir()] == ["cnn.yaml"]
    return yaml.safe_load((folder / "cnn.yaml").read_text(encoding="utf-8"))


def test_every_component_is_a_task_of_the_image(spec):
    assert set(spec["root"]["dag"]["tasks"]) > COMPONENTS
    executors = spec["deploymentSpec"]["executors"]
    images = {
        name: each["container"]["image"] for name, each in executors.items() if "container" in each
    }
    assert images == {f"{name}_executor": "registry/tfseq" for name in COMPONENTS}


def test_nothing_is_trained_on_what_the_gate_has_not_let_through(spec):
    tasks = spec["root"]["dag"]["tasks"]
    assert "AnomalyGate" in tasks["Transform"]["dependentTasks"]
    assert "Transform" in tasks["Trainer"]["dependentTasks"]
    assert "Evaluator" in tasks["Pusher"]["dependentTasks"]


def test_beam_s_options_reach_the_components_that_read_all_records(spec):
    executors = spec["deploymentSpec"]["executors"]
    for name in ("ImportExampleGen", "StatisticsGen", "Transform", "Evaluator"):
        arguments = executors[f"{name}_executor"]["container"]["args"]
        assert "--runner=DataflowRunner" in arguments
        assert "--project=mine" in arguments


def test_places_are_those_of_the_cluster(spec):
    text = yaml.safe_dump(spec)
    for place in ("gs://bucket/records", "gs://bucket/schema.pbtxt", "gs://bucket/models/cnn"):
        assert place in text
