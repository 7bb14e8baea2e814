"""One record through wide dense layers is labelled as it is among others."""

import numpy as np
import pytest
import tensorflow as tf

from tfseq import formats, models
from tfseq.models import lowering
from tfseq.saved_model import SavedModel
from tfseq.serving import signatures

WAVEFORMS = np.random.default_rng(0).normal(size=(3, 4, 4000)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    """Its first and its last layer are wide: 16,000 x 300 weights and 1100 x 4000."""
    return models.build("mlp", hidden_units=(300, 1100), activation="tanh", dropout=0.5)


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
    graph = tf.saved_model.load(str(tmp_path)).signatures["serving_default"].graph.as_graph_def()
    assert "Split" in {node.op for each in graph.library.function for node in each.node_def}
    # XLA would multiply more slowly.
    assert exported.compiled() == exported.predict
    for to in ("tflite", "onnx"):
        assert formats.convert(exported, tmp_path, to)[1] < 1e-5


@pytest.mark.parametrize(
    ("size", "units"),
    [((1, 16007), 280), ((4, 4001), 281), ((4, 4001), 288)],
    ids=["a prime number", "parts that are no whole lines of memory", "4 parts"],
)
def test_inputs_that_have_no_parts_are_taken_whole_others_in_few(size, units):
    odd = models.build("mlp", waveform_shape=size, hidden_units=(units,), dropout=0)
    waveform = np.random.default_rng(1).normal(size=(1, *size)).astype(np.float32)
    label = lowering.of_one_record(odd)(waveform)
    first, first_bias, last, last_bias = (weight.numpy().astype(float) for weight in odd.weights)
    exact = np.maximum(waveform.reshape(1, -1) @ first + first_bias, 0) @ last + last_bias
    rounding = np.abs(odd.predict(waveform, verbose=0) - exact).max()
    assert np.abs(label - exact).max() < 1.5 * rounding < 1e-5


def test_a_wide_layer_does_not_keep_convolutions_from_own_kernels(tmp_path):
    model = models.build("cnn", classifier=True)
    signatures.save(model, tmp_path)
    exported = SavedModel(tmp_path)
    expected = model.predict(WAVEFORMS, verbose=0)
    for predict in (exported.predict, exported.compiled()):
        for count in (1, 3):
            answer = predict(WAVEFORMS[:count])
            np.testing.assert_allclose(answer, expected[:count], rtol=0, atol=1e-5)
    assert exported.compiled() != exported.predict


@pytest.mark.parametrize("name", ["cnn", "resnet", "conv_ae"])
def test_models_without_wide_layers_have_nothing_of_the_kind(name):
    assert lowering.of_one_record(models.build(name)) is None
