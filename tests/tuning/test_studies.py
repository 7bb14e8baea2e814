"""The studies cover the report's claims, and say what is wrong with a name."""

from pathlib import Path

import command
import pytest

from tfseq import configs
from tfseq.errors import UserError
from tfseq.tuning import plans, sizes, studies, study
from tfseq.tuning.options import Options

CLAIMS = {
    *("mlp/hidden-sizes", "mlp/epochs", "mlp/activation", "mlp/dropout", "mlp/initializer"),
    *("mlp/batch-norm", "mlp/optimizer", "mlp/sample-size"),
    *("cnn/channels", "cnn/head", "cnn/batch-size", "cnn/optimizer", "cnn/regularization"),
    *("cnn/activation", "cnn/sample-size"),
    *("conv_ae/optimizer", "conv_ae/batch-norm", "conv_ae/activation", "conv_ae/sample-size"),
    *("resnet/initializer", "resnet/optimizer", "resnet/activation", "resnet/sample-size"),
    "models/ranking",
}


def test_every_claim_about_the_models_has_a_study():
    assert {each.name for each in studies.ALL} == CLAIMS
    assert len(studies.ALL) == len(CLAIMS)


@pytest.mark.parametrize("each", studies.ALL, ids=lambda each: each.name)
def test_the_first_arm_has_the_report_s_settings_and_every_other_has_some_of_its_own(
    each, tmp_path
):
    planned = plans.of(each, Options(tmp_path, seeds=1))
    first, *others = planned
    report = configs.get(each.arms[0].model or each.model)
    assert first.config.model.to_dict() == report.model.to_dict()
    assert first.config.optimizer.to_dict() == report.optimizer.to_dict()
    assert first.config.epochs == report.epochs
    assert others
    for number, plan in enumerate(planned):
        rest = planned[:number] + planned[number + 1 :]
        assert (plan.config.to_dict(), plan.held_out) not in [
            (other.config.to_dict(), other.held_out) for other in rest
        ]


@pytest.mark.parametrize("each", studies.ALL, ids=lambda each: each.name)
def test_what_is_expected_is_of_arms_that_there_are(each):
    labels = {arm.label for arm in each.arms}
    compared = {(one.arm, one.reference) for one in each.expectations}
    assert len(labels) == len(each.arms)
    assert {label for pair in compared for label in pair} == labels
    assert all(arm != reference for arm, reference in compared)


def test_the_seed_is_part_of_the_settings_and_all_arms_have_the_same():
    planned = plans.of(studies.ALL[0], Options(Path("unused"), seeds=3))
    by_arm = {}
    for plan in planned:
        by_arm.setdefault(plan.key["arm"], []).append(plan.config.seed)
    assert len(by_arm) == len(studies.ALL[0].arms)
    assert all(seeds == [0, 1, 2] for seeds in by_arm.values())


def test_width_fraction_scales_every_hidden_layer_of_the_mlp():
    (wider,) = study.find(studies.ALL, ["mlp/hidden-sizes"])
    planned = plans.of(wider, Options(Path("unused"), seeds=1, width_fraction=0.01))
    assert [plan.config.model.hidden_units for plan in planned] == [
        (80, 60, 40),
        (100, 75, 50),
        (120, 90, 60),
    ]


def test_epochs_leave_those_of_an_arm_alone():
    (longer,) = study.find(studies.ALL, ["mlp/epochs"])
    planned = plans.of(longer, Options(Path("unused"), seeds=1, epochs=1))
    assert [plan.config.epochs for plan in planned] == [2, 4, 8]


def test_patterns_choose_studies():
    found = study.find(studies.ALL, ["resnet/*", "cnn/head"])
    assert [each.name for each in found] == [
        "cnn/head",
        "resnet/initializer",
        "resnet/optimizer",
        "resnet/activation",
        "resnet/sample-size",
    ]


@pytest.mark.parametrize(
    ("name", "near"),
    [("cnn/optimiser", "cnn/optimizer"), ("ranking", "models/ranking"), ("mpl/*", "--list")],
)
def test_an_unknown_study_is_answered_with_the_nearest(name, near):
    with pytest.raises(UserError, match=near):
        study.find(studies.ALL, [name])


def test_sizes_are_of_any_model():
    assert sizes.sample_size("seqnet", (20, 10)).arms[0].held_out == 10
    with pytest.raises(UserError, match="resnet"):
        sizes.sample_size("resnett")


UNUSED = (
    "data.cache=never",
    "data.service=grpc://localhost:1",
    "interval.coverage=0.8",
    "strategy=multi_worker",
    "multi_worker.wait_seconds=5",
)
REFUSED = {
    **{
        f"{setting} in {module}": (module, [*flags, f"--config.{setting}"], [f"--config.{setting}"])
        for module, flags in (("search", ["--all"]), ("tune", []), ("cross_validate", []))
        for setting in UNUSED
    },
    "checkpoints of trials": ("tune", ["--config.checkpoint.every_steps=9"], ["every_steps=9"]),
    "trials that stop early": ("tune", ["--config.early_stopping.patience=3"], ["patience=3"]),
    "an unknown study": ("search", ["--study=cnn/optimiser"], ["cnn/optimizer"]),
    "no study": ("search", [], ["--study", "--all", "--list"]),
    "all and one": ("search", ["--all", "--study=cnn/head"], ["--study", "--all"]),
    "an unknown tuner": ("search", ["--all", "--tuner=lucky"], ["--tuner", "grid"]),
    "no seed": ("search", ["--all", "--seeds=0"], ["seeds"]),
    "a width beyond the report's": ("search", ["--all", "--width_fraction=2"], ["width_fraction"]),
    "an unknown setting": ("search", ["--all", "--config.nonsense=1"], ["--config.nonsense"]),
    "a setting that the studies decide": (
        "search",
        ["--all", "--config.optimizer.name=sgd"],
        ["--config.optimizer.name"],
    ),
    "an unknown model for sizes": ("sample_size", ["--model=cmn"], ["'cmn'", "cnn"]),
    "words for sizes": ("sample_size", ["--sizes=a,b"], ["--sizes", "a,b"]),
    "one size": ("sample_size", ["--sizes=15"], ["--sizes", "two"]),
    "an unknown model to tune": ("tune", ["--model=cmn"], ["'cmn'", "cnn"]),
    "an unknown search": ("tune", ["--tuner=grid"], ["--tuner", "hyperband"]),
    "no results": ("report", ["--workdir=nowhere"], ["--workdir", "nowhere"]),
    "an unknown flag": ("report", ["--nonsense=1"], ["nonsense"]),
}


@pytest.mark.parametrize("case", REFUSED, ids=REFUSED.keys())
def test_a_mistake_is_refused_in_one_line_and_nothing_is_left_behind(case, tmp_path):
    module, flags, said = REFUSED[case]
    refusal = command.run(f"tuning.{module}", *flags, cwd=tmp_path).refusal()
    assert all(text in refusal for text in said), refusal
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["search", "sample_size", "tune", "report"])
def test_help_shows_examples_without_importing_tensorflow(module, tmp_path):
    done = command.run(f"tuning.{module}", "--help", cwd=tmp_path, options=("-X", "importtime"))
    assert done.code == 0
    assert f"python -m tfseq.tuning.{module}" in done.stdout
    assert "--workdir" in done.stdout
    assert "tensorflow" not in done.stderr.replace("tensorflow_metadata", "")


def test_list_shows_every_study_with_its_cost_and_runs_none(tmp_path):
    done = command.run("tuning.search", "--list", "--seeds=5", cwd=tmp_path).check()
    lines = done.stdout.splitlines()
    for each in studies.ALL:
        (line,) = (line for line in lines if line.startswith(each.name))
        assert line.split()[1:4] == [str(len(each.arms)), str(5 * len(each.arms)), "0"]
        assert f"    {each.claim}" in lines
    assert list(tmp_path.iterdir()) == []
