"""The model of what exchanging gradients costs, and its table in the documentation."""

from pathlib import Path

import pytest

from benchmarks import scaling_model
from tfseq import configs, models


def test_two_workers_send_the_gradients_once():
    assert scaling_model.volume(1000, 2) == 4000
    assert scaling_model.volume(1000, 1) == 0


def test_time_is_volume_over_bandwidth_and_a_latency_for_each_message():
    # 8 workers send 2 * 7/8 of 4 MB in 14 messages.
    found = scaling_model.seconds(1_000_000, 8, bandwidth=1e9, latency=1e-3)
    assert found == pytest.approx(0.007 + 0.014)


@pytest.mark.parametrize("name", ["cnn", "conv_ae", "resnet"])
def test_the_parameters_are_those_of_the_models(name):
    model = models.build(**configs.get(name).model.to_dict())
    count = sum(weight.numpy().size for weight in model.trainable_weights)
    assert scaling_model.PARAMETERS[name] == count


def test_the_documentation_has_the_table():
    text = Path(__file__).parents[1].joinpath("docs", "scaling.md").read_text(encoding="utf-8")
    assert scaling_model.table() in text
