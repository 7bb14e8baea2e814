"""Data flows one way: a module imports from the stages before it, and sizes have one place."""

import ast
import sys
from pathlib import Path

import pytest

import tfseq
from tfseq import schema

PACKAGE = Path(tfseq.__file__).parent
# A module may import from the lines above its own, and from those beside it.
STAGES = [
    {"allocator", "atomic_file", "errors", "schema", "quick_import", "tfrecord_files"},
    {"json_file", "npy_format", "reachability"},
    {"datasets"},
    {"record_integrity"},
    {"record_salvage"},
    {"transform"},
    {"models"},
    {"traced_once"},
    {"fused_update", "native", "optimizers"},
    {"augmentation", "share"},
    {"example_gen"},
    {"data_service", "fingerprint", "record_statistics", "value_counts"},
    {"statistics_table", "statistics_proto", "record_checks"},
    {"statistics_gen"},
    {"example_validator"},
    {"configs", "keras_file", "weight_files"},
    {"torch_weights"},
    {"averaging", "replicas"},
    {"checkpoint_files", "history", "whole_epochs"},
    {"multi_worker", "multi_worker_model"},
    {"checkpoint", "run_config", "run_data", "training_step"},
    {"workers"},
    {"trainer", "tuner"},
    {"evaluator", "baselines"},
    {"intervals"},
    {"measure"},
    {"serving"},
    {"infra_validator"},
    {"export", "soonest"},
    {"saved_model"},
    {"pusher"},
    {"tuning"},
    {"cli"},
    {"tfx"},
    {"dataset_flags", "config_flags"},
    {"record_files"},
    {"build", "train", "evaluate", "predict", "figures", "client", "formats", "pipeline"},
]
STAGE = {name: number for number, names in enumerate(STAGES) for name in names}
# What the stages of one line may import of each other.
WITHIN = {
    ("evaluator", "baselines"),
    # What TFX calls of these is short, and leads to where TFX is known.
    ("trainer", "tfx"),
    ("tuner", "tfx"),
}
# These are stages, and may be used by those after them, but are command lines too.
WITHIN |= {
    (stage, used)
    for stage in ("statistics_gen", "example_validator")
    for used in ("cli", "configs", "dataset_flags")
}
WITHIN |= {("record_statistics", "value_counts"), ("infra_validator", "cli")}
DATA_SETS_USE = {"datasets", "errors", "npy_format", "schema"}
FILES = sorted(PACKAGE.rglob("*.py"))


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """Full names of all that a file imports, wherever in it."""
    names = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def stage_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def ids(path):
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_a_module_imports_only_from_the_stages_before_it(path):
    stage = stage_of(path)
    if stage == "__init__":
        assert not [name for name in imported(path) if name.startswith("tfseq")]
        return
    assert stage in STAGE, f"{stage} has no place in the order: add it to STAGES"
    for name in imported(path):
        package, *rest = name.split(".")
        if package == "tfseq" and rest[0] != stage:
            assert STAGE[rest[0]] < STAGE[stage] or (stage, rest[0]) in WITHIN, name


def test_data_sets_import_only_schema_errors_and_formats():
    folder = Path(tfseq.__file__).parents[1] / "datasets"
    files = sorted(folder.rglob("*.py"))
    assert len(files) > 10
    for path in files:
        for name in imported(path):
            if name.startswith("tfseq."):
                assert name.split(".")[1] in DATA_SETS_USE, (path, name)


@pytest.mark.parametrize("path", [PACKAGE / "transform.py", *PACKAGE.glob("models/*.py")], ids=ids)
def test_models_know_keras_alone(path):
    packages = {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names)
    assert packages <= {"keras", "numpy", "tfseq"}


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_no_module_but_the_schema_knows_how_many_steps_there_are(path):
    _, steps = schema.waveform_shape()
    hidden_width = {"models/mlp.py", "configs/mlp.py"}
    literals = [
        node.value
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and node.value in (steps, 4 * steps)
    ]
    allowed = [steps] if path.relative_to(PACKAGE).as_posix() in hidden_width else []
    assert literals == allowed


def test_the_steps_are_in_the_schema_s_text():
    assert schema.PATH.read_text(encoding="utf-8").count(str(schema.waveform_shape()[1])) >= 2
