"""The open search finds settings that a training run can take."""

import itertools

import command
import pytest

from tfseq import configs, models
from tfseq.configs import file
from tfseq.tuning import results, space


@pytest.fixture(scope="module")
def tuned(builder, data_dir, tmp_path_factory):
    """The folder of a search, and what two runs of it said."""
    folder = tmp_path_factory.mktemp("tuned")
    small = (*command.RECORDS, *command.MODELS["mlp"], f"--data_dir={data_dir}", "--epochs=1")
    arguments = ("--model=mlp", "--tuner=random", "--max_trials=3", "--workdir=search", *small)
    runs = [command.run("tuning.tune", *arguments, cwd=folder).check() for _ in range(2)]
    return folder / "search", runs


def test_the_best_settings_are_a_config_of_the_model(tuned):
    folder, _ = tuned
    found = file.read(folder / "best_config.json")
    assert found.epochs == 1
    configs.check(found)
    rows = [row for row in results.read(folder) if not row["diverged"]]
    best = min(rows, key=lambda row: min(row["val_loss"]))
    assert found.optimizer.name == best["values"]["optimizer.name"]
    assert found.optimizer.learning_rate == best["values"]["optimizer.learning_rate"]


def test_the_training_command_takes_what_was_found(tuned, data_dir):
    folder, _ = tuned
    places = (f"--data_dir={data_dir}", "--workdir=run", "--export_dir=exports")
    command.run(
        "train", "--config_file=search/best_config.json", *places, cwd=folder.parent
    ).check()
    used = command.read_json(folder.parent / "run" / "config.json")
    assert used == command.read_json(folder / "best_config.json")


def test_the_model_s_own_settings_are_tried_first(tuned):
    folder, _ = tuned
    first = results.read(folder)[0]
    assert first["values"]["optimizer.learning_rate"] == configs.get("mlp").optimizer.learning_rate
    assert first["values"]["width_factor"] == first["values"]["dropout_factor"] == 1.0


def test_the_same_command_again_trains_nothing(tuned):
    folder, (first, second) = tuned
    assert len(results.read(folder)) == 4
    assert first.stdout.count("after 1 epochs") == 4
    assert "after 1 epochs" not in second.stdout
    assert second.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]


@pytest.mark.parametrize("model", models.names())
def test_the_space_is_around_the_settings_of_every_model(model):
    config = configs.get(model)
    declared = space.declare(config)
    assert space.apply(declared.values, config).to_dict() == config.to_dict()
    assert "optimizer.learning_rate" in declared.values
    for factor in itertools.product((0.5, 2.0), (0.0, 1.5)):
        width, dropout = factor
        configs.check(space.apply({"width_factor": width, "dropout_factor": dropout}, config))


def test_width_and_dropout_are_scaled_where_the_label_s_size_allows_it():
    config = configs.get("cnn")
    changed = space.apply({"width_factor": 2.0, "dropout_factor": 0.5}, config)
    assert changed.model.filters == (4, 6, 4)
    assert changed.model.dropout == (0.15, 0.15)
    wide = space.apply({"width_factor": 0.5, "dropout_factor": 1.5}, configs.get("mlp"))
    assert wide.model.hidden_units == (4000, 3000, 2000)
    assert wide.model.dropout == pytest.approx((0.45, 0.6, 0.9))
