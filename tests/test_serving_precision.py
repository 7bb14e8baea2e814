"""A run in mixed precision is exported in 16 bits, and once more in float32 if asked to."""

import json

import command
import numpy as np
import pytest

from tfseq import formats
from tfseq.errors import UserError
from tfseq.saved_model import SavedModel

WAVEFORMS = np.random.default_rng(0).normal(size=(3, 4, 4000)).astype(np.float32)


@pytest.fixture(scope="module")
def exports(builder, data_dir, tmp_path_factory):
    """The two exports of one run."""
    folder = tmp_path_factory.mktemp("runs")
    flags = ("--model=mlp", *command.MODELS["mlp"], *command.RECORDS, "--epochs=1")
    flags += ("--config.precision=mixed_bfloat16", f"--data_dir={data_dir}")
    flags += ("--workdir=run", "--export_dir=exports")
    command.run("train", *flags, cwd=folder).check()
    again = command.run("train", *flags, "--config.serving_precision=float32", cwd=folder).check()
    assert "Exported for TF Serving: exports/mlp/2" in again.stdout
    return folder / "exports" / "mlp"


def test_the_second_export_computes_the_same_weights_in_float32(exports):
    narrow, wide = (SavedModel(exports / version) for version in "12")
    assert (narrow.in_16_bits, wide.in_16_bits) == (True, False)
    expected = wide.predict(WAVEFORMS)
    assert (narrow.predict(WAVEFORMS) != expected).any()
    # bfloat16 keeps 8 bits of a number.
    np.testing.assert_allclose(narrow.predict(WAVEFORMS), expected, rtol=0, atol=2**-7)


def test_each_export_says_what_it_is_and_how_good(exports):
    cards = [(exports / version / "README.md").read_text("utf-8") for version in "12"]
    assert "`serving_precision`: trained" in cards[0]
    assert "`serving_precision`: float32" in cards[1]
    scores = [json.loads((exports / version / "evaluation.json").read_text()) for version in "12"]
    narrow, wide = (each["splits"]["test"]["metrics"]["mse"] for each in scores)
    assert narrow == pytest.approx(wide, rel=1e-2)
    assert narrow != wide


def test_16_bits_are_not_converted_and_float32_is(exports):
    with pytest.raises(UserError, match="serving_precision=float32"):
        formats.convert(SavedModel(exports / "1"), exports / "1", "tflite")
    _, error = formats.convert(SavedModel(exports / "2"), exports / "2", "tflite")
    assert error < 1e-5
