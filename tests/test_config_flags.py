"""What a command line says of the settings is what they then are."""

import json

import pytest

from tfseq import configs
from tfseq.configs.flat import flat, nearest

_SETTINGS = """
import json
import sys

from absl import flags

from tfseq import cli, config_flags

config_flags.define()
cli.define_data_flags()
flags.FLAGS(sys.argv)
print(config_flags.settings().to_json_best_effort())
"""


@pytest.fixture
def settings(python):
    """Returns a function from arguments to the settings that they stand for."""
    return lambda *arguments: json.loads(python(_SETTINGS, *arguments))


@pytest.mark.parametrize(
    "given",
    [
        ["waveform,normalized"],
        ["waveform, normalized"],
        ["('waveform', 'normalized')"],
        ["waveform", "normalized"],
    ],
)
def test_names_are_told_apart_by_commas_as_numbers_are(settings, given):
    found = settings(*(f"--config.transform.views={each}" for each in given))
    assert found["transform"]["views"] == ["waveform", "normalized"]


def test_one_name_and_numbers_stay_what_they_are(settings):
    found = settings(
        "--model=mlp", "--config.transform.views=rectified", "--config.model.hidden_units=8,6,4"
    )
    assert found["transform"]["views"] == ["rectified"]
    assert found["model"]["hidden_units"] == [8, 6, 4]


def test_frequent_settings_have_flags_of_their_own(settings):
    found = settings("--epochs=3", "--batch_size=7", "--seed=5", "--dataset=record_sets")
    assert [found[key] for key in ("epochs", "batch_size", "seed")] == [3, 7, 5]
    assert found["dataset"]["name"] == "record_sets"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("epoch", "epochs"),
        ("optimiser.name", "optimizer.name"),
        ("datset.name", "dataset.name"),
        ("rate", "optimizer.learning_rate"),
        ("optimizer.rate", "optimizer.learning_rate"),
        ("multi_worker.wait", "multi_worker.wait_seconds"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_the_one_that_is_meant(name, meant):
    known = list(flat(configs.get("cnn")))
    assert meant in known
    assert nearest(name, known) == f"; did you mean {meant}?"


def test_a_name_like_no_other_is_answered_with_none():
    assert nearest("xyzzy", list(flat(configs.get("cnn")))) == ""
