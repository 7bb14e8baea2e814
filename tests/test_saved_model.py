"""An export that is compiled answers as it does uncompiled, and refuses the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import models
from tfseq.errors import UserError
from tfseq.saved_model import SavedModel
from tfseq.serving import signatures

WAVEFORMS = np.random.default_rng(0).normal(size=(37, 4, 400)).astype(np.float32)


def export(folder, name, half_width=None, within=None):
    """An export of a small model with random weights."""
    keras.utils.set_random_seed(0)
    model = models.build(name, waveform_shape=WAVEFORMS.shape[1:])
    signatures.save(model, folder, half_width=half_width, within=within)
    return SavedModel(folder)


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_compiled_labels_are_those_of_predict_for_any_number_of_records(name, tmp_path):
    model = export(tmp_path, name)
    predict = model.compiled()
    for records in (0, 1, 16, 17, 37):  # 16 are labelled at a time
        expected = model.predict(WAVEFORMS[:records])
        np.testing.assert_allclose(predict(WAVEFORMS[:records]), expected, rtol=0, atol=1e-6)


def test_a_model_with_intervals_answers_its_label(tmp_path):
    half_width = models.build("cnn", waveform_shape=WAVEFORMS.shape[1:])
    model = export(tmp_path, "resnet", half_width)
    assert model.has_intervals
    np.testing.assert_allclose(
        model.compiled()(WAVEFORMS), model.predict(WAVEFORMS), rtol=0, atol=1e-6
    )


def test_what_predict_refuses_is_refused_in_its_words(tmp_path):
    model = export(tmp_path, "cnn")
    waveforms = WAVEFORMS.copy()
    waveforms[20, 2, 3] = np.nan
    with pytest.raises(UserError) as refusal:
        model.predict(waveforms)
    with pytest.raises(UserError, match="record 20") as compiled_refusal:
        model.compiled()(waveforms)
    assert str(compiled_refusal.value) == str(refusal.value)


def test_what_the_schema_does_not_expect_is_labelled_as_predict_does(tmp_path):
    model = export(tmp_path, "cnn", within=(-9.0, 9.0))
    waveforms = WAVEFORMS.copy()
    waveforms[20] *= 100
    np.testing.assert_array_equal(model.compiled()(waveforms), model.predict(waveforms))


def test_many_records_are_labelled_by_what_is_compiled(tmp_path):
    model = export(tmp_path, "cnn")
    assert model.labeller(100) == model.predict
    many = model.labeller(10**6)
    assert many != model.predict
    np.testing.assert_allclose(many(WAVEFORMS), model.predict(WAVEFORMS), rtol=0, atol=1e-6)


def test_an_export_without_the_signature_is_refused_and_labels_many_as_it_is(tmp_path):
    module = tf.Module()
    waveform = tf.TensorSpec((None, 4, 40), tf.float32, name="waveform")
    serve = tf.function(lambda waveform: {"label": waveform[:, 0]}, input_signature=[waveform])
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": serve})
    model = SavedModel(tmp_path)
    with pytest.raises(UserError, match="no signature validate"):
        model.compiled()
    assert model.labeller(10**6) == model.predict
