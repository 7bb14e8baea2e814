"""One record through wide dense layers is labelled as it is among others."""

import numpy as np
import pytest

from tfseq import models
from tfseq.models import lowering
from tfseq.saved_model import SavedModel
from tfseq.serving import signatures

WAVEFORMS = np.random.default_rng(0).normal(size=(3, 4, 4000)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    """Its first layer is wide: 16,000 x 300 weights."""
    return models.build("mlp", hidden_units=(300, 20), activation="tanh", dropout=0.5)


def test_one_record_is_labelled_as_among_others(model):
    expected = model.predict(WAVEFORMS, verbose=0)
    infer = lowering.of_one_record(model)
    for record, label in zip(WAVEFORMS, expected, strict=True):
        np.testing.assert_allclose(infer(record[None])[0], label, rtol=0, atol=1e-6)


def test_an_export_answers_any_number_of_records(model, tmp_path):
    signatures.save(model, tmp_path)
    exported = SavedModel(tmp_path)
    expected = model.predict(WAVEFORMS, verbose=0)
    for count in range(4):
        answer = exported.predict(WAVEFORMS[:count])
        assert answer.shape == (count, 4000)
        np.testing.assert_allclose(answer, expected[:count], rtol=0, atol=1e-6)
    # XLA would multiply more slowly.
    assert exported.compiled() == exported.predict


@pytest.mark.parametrize("size", [(4, 4001), (4, 4099)])
def test_a_number_of_inputs_that_has_no_parts_is_taken_whole(size):
    """4 x 4099 has the parts 1, 2 and 4."""
    odd = models.build("mlp", waveform_shape=size, hidden_units=(280,), dropout=0)
    waveform = np.random.default_rng(1).normal(size=(1, *size)).astype(np.float32)
    infer = lowering.of_one_record(odd)
    expected = odd.predict(waveform, verbose=0)
    np.testing.assert_allclose(infer(waveform), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["cnn", "resnet", "conv_ae"])
def test_models_without_wide_layers_have_nothing_of_the_kind(name):
    assert lowering.of_one_record(models.build(name)) is None
