"""What a cross-validation refuses, in one line."""

import command
import pytest

from tfseq.errors import UserError
from tfseq.tuning import cross_validation_run, results

REFUSED = {
    "one fold": (["--folds=1"], ["folds", "1"]),
    "a choice of the epoch": (
        ["--config.early_stopping.patience=3"],
        ["--config.early_stopping.patience", "all epochs"],
    ),
    "no seed": (["--seeds=0"], ["seeds", "0"]),
    "more folds than groups": (["--folds=4"], ["--folds=4", "3 groups"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_command_refuses_in_a_line_and_leaves_nothing(case, subject_flags, tmp_path):
    arguments, expected = REFUSED[case]
    done = command.run("tuning.cross_validate", *subject_flags, *arguments, cwd=tmp_path)
    refusal = done.refusal()
    for text in expected:
        assert text in refusal
    assert not list(tmp_path.iterdir())


SPLITS = {
    "one group": (("validation[:3]", "validation[3:]"), "all 6 records are of one group, '4N'"),
    "shared records": (("train", "train[:2]"), r"train_split=train and .* share 2 records"),
}


@pytest.mark.parametrize("case", SPLITS)
def test_splits_that_cannot_be_divided_are_refused(case, config, data_dir, tmp_path):
    (config.data.train_split, config.data.validation_split), message = SPLITS[case]
    with pytest.raises(UserError, match=message):
        cross_validation_run.run(config, tmp_path / "result", number=2, data_dir=data_dir)
    assert not list(tmp_path.iterdir())


def test_results_of_another_cross_validation_are_refused(config, data_dir, tmp_path):
    config.epochs = 1
    cross_validation_run.run(config, tmp_path, number=2, data_dir=data_dir)
    before = results.read(tmp_path)
    with pytest.raises(UserError, match=r"with --folds=2, not with --folds=3"):
        cross_validation_run.run(config, tmp_path, number=3, data_dir=data_dir)
    config.data.train_split = "train[:10]"
    with pytest.raises(UserError, match=r"--config\.data\.train_split"):
        cross_validation_run.run(config, tmp_path, number=2, data_dir=data_dir)
    assert results.read(tmp_path) == before


def test_no_error_is_given_where_a_fold_diverged(config, data_dir, tmp_path):
    config.optimizer.name = "sgd"
    config.optimizer.learning_rate = 1e30
    with pytest.raises(UserError, match=r"fold 1, seed 0: the loss is not finite"):
        cross_validation_run.run(config, tmp_path, number=2, data_dir=data_dir)
    assert len(results.read(tmp_path)) == 2
    assert not (tmp_path / "cross_validation.json").exists()
