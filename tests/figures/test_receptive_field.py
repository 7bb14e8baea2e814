"""The figure of receptive fields shows what a model can see."""

import command
import numpy as np
import pytest

from tfseq.figures import receptive_field

SMOOTH = {"activation": "gelu", "batch_norm": False}
PARTS = np.arange(100)


def centres(name, **settings):
    """For each part of the label the middle of what it sees, and how far that reaches."""
    values = receptive_field.gradients(name, settings)
    assert values.shape == (100, 100)
    assert values.max() == 1
    seen = [np.flatnonzero(row) for row in values]
    return np.array([row.mean() for row in seen]), max(np.ptp(row) for row in seen)


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_a_part_of_the_label_sees_its_own_time_in_the_layout_time(name):
    middle, reach = centres(name, **SMOOTH, layout="time")
    np.testing.assert_allclose(middle, PARTS, atol=1.5)
    assert reach <= 3


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_a_part_of_the_label_sees_four_times_as_far_on_in_the_report_s_layout(name):
    middle, _ = centres(name, **SMOOTH)
    # At the beginning of a record the residual network sees the end of the one before it.
    inner = PARTS % 25 > 0
    np.testing.assert_allclose(middle[inner], 4 * (PARTS % 25)[inner], atol=2.5)


@pytest.mark.parametrize(
    ("name", "settings"), [("seqnet", {}), ("mlp", {"hidden_units": (8, 8, 8)})]
)
def test_these_see_the_whole_record(name, settings):
    assert (receptive_field.gradients(name, settings | {"activation": "gelu"}) > 0).all()


def test_the_command_draws_it(tmp_path):
    done = command.run("figures.receptive_field", "--out=fields.png", cwd=tmp_path).check()
    assert done.stdout == "fields.png\n"
    assert (tmp_path / "fields.png").read_bytes().startswith(b"\x89PNG")
