"""Without TFX, the pipeline's command says what it lacks; `make test-tfx` runs the pipeline."""

import importlib.metadata
import re

import command
import pytest

from tfseq import trainer, tuner
from tfseq.errors import UserError
from tfseq.tfx import settings


@pytest.fixture
def pipeline(tmp_path):
    """Returns a function that runs the command."""

    def run(*arguments):
        return command.run("pipeline", *arguments, cwd=tmp_path)

    return run


def test_a_missing_tfx_ends_in_one_line_that_says_what_installs_it(pipeline, tmp_path):
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("tfx")
    refusal = pipeline("--model=cnn", "--pipeline_root=root").refusal()
    assert "TFX is not installed" in refusal
    assert "`make tfx`" in refusal
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", [trainer.run_fn, tuner.tuner_fn])
def test_what_tfx_calls_says_so_too(function):
    with pytest.raises(UserError, match="TFX is not installed: `make tfx`"):
        function(None)


UNUSED = (
    "data.train_split=train[:10]",
    "data.validation_split=validation[5:]",
    "data.service=grpc://localhost:1",
    "data.on_corrupt=skip",
    "strategy=multi_worker",
    "multi_worker.wait_seconds=5",
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--pipeline_root is missing"),
        (("--pipeline_root=file/root",), "--pipeline_root: cannot write to"),
        (("--pipeline_root=root", "--export_dir=file"), "--export_dir: cannot write to"),
        (("--pipeline_root=root", "--schema=nosuch"), "--schema: there is no file"),
        (("--pipeline_root=gs://bucket/root",), "--metadata is missing"),
        (("--pipeline_root=root", "--tuner=grid"), "tuner"),
        (("--pipeline_root=root", "--epochs=0"), "--config.epochs: expected 1 or more"),
        (("--pipeline_root=root", "--runner=kubeflow"), "--image is missing"),
        (
            ("--pipeline_root=root", "--runner=kubeflow", "--image=image"),
            "--records is missing",
        ),
        (
            (
                *("--pipeline_root=root", "--runner=kubeflow", "--image=image"),
                *("--records=gs://bucket/records", "--infra_validator"),
            ),
            "--infra_validator: TFX's Kubeflow runner has no InfraValidator",
        ),
        *(
            (("--pipeline_root=root", f"--config.{setting}"), f"--config.{setting}: a pipeline")
            for setting in UNUSED
        ),
    ],
)
def test_flags_that_cannot_be_are_refused_before_tfx_is_looked_for(
    pipeline, tmp_path, arguments, message
):
    (tmp_path / "file").touch()
    assert message in pipeline(*arguments).refusal()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("setting", UNUSED)
def test_a_component_of_another_pipeline_refuses_them_too(setting):
    name, _, value = setting.partition("=")
    group, _, key = name.rpartition(".")
    value = int(value) if value.isdecimal() else value
    given = {"model": {"name": "cnn"}} | ({group: {key: value}} if group else {key: value})
    with pytest.raises(UserError, match=re.escape(f"--config.{setting}: a pipeline")):
        settings.of({"config": given})
