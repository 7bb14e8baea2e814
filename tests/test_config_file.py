"""Settings in a file: what a run has written can be read, and a mistake is named."""

import json

import pytest

from tfseq import configs
from tfseq.configs import file
from tfseq.errors import UserError


@pytest.fixture
def written(tmp_path):
    """Returns a function that writes settings to a file, which it returns."""

    def write(settings):
        path = tmp_path / "settings.json"
        path.write_text(json.dumps(settings))
        return path

    return write


@pytest.mark.parametrize("name", configs.names())
def test_all_settings_survive_being_written_and_read(name, written):
    config = configs.named(name)
    configs.check(config)
    path = written(file.to_json(config))
    assert file.read(path).to_dict() == config.to_dict()


def test_what_a_file_does_not_name_is_the_model_s_own(written):
    found = file.read(written({"model": {"name": "cnn", "filters": [4, 6, 4]}, "epochs": 3}))
    expected = configs.get("cnn")
    expected.model.filters = (4, 6, 4)
    expected.epochs = 3
    assert found.to_dict() == expected.to_dict()


CNN = {"model": {"name": "cnn"}}
MISTAKES = {
    "no object": ([1], "names no model"),
    "no model": ({"epochs": 3}, "names no model"),
    "a model that is a word": ({"model": "cnn"}, "names no model"),
    "a model that is not there": ({"model": {"name": "rnn"}}, "there is no model 'rnn'"),
    "an unknown setting": (CNN | {"epoch": 3}, "no setting epoch; did you mean epochs?"),
    "an unknown setting of a group": (
        CNN | {"optimizer": {"rate": 1}},
        "there is no setting optimizer.rate",
    ),
    "a word for a number": (CNN | {"epochs": "3"}, "epochs: expected int, such as 10; got '3'"),
    "a word for a group": (CNN | {"optimizer": "adam"}, "optimizer: expected a group of settings"),
    "a truth for a number": (CNN | {"epochs": True}, "epochs: expected int"),
    "nothing for a number": (CNN | {"epochs": None}, "epochs: expected int"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_file(mistake, written):
    settings, message = MISTAKES[mistake]
    path = written(settings)
    with pytest.raises(UserError) as refused:
        file.read(path)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"--config_file: {path}")


def test_nesting_without_end_is_refused(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000)
    with pytest.raises(UserError, match="is not JSON"):
        file.read(path)
