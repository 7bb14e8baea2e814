"""An export that is compiled answers as it does uncompiled, and refuses the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import models
from tfseq.errors import UserError
from tfseq.saved_model import SavedModel
from tfseq.serving import signatures

WAVEFORMS = np.random.default_rng(0).normal(size=(3, 4, 400)).astype(np.float32)


def export(folder, name, half_width=None):
    """An export of a small model with random weights."""
    keras.utils.set_random_seed(0)
    model = models.build(name, waveform_shape=WAVEFORMS.shape[1:])
    signatures.save(model, folder, half_width=half_width)
    return SavedModel(folder)


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_compiled_labels_are_those_of_predict_for_any_number_of_records(name, tmp_path):
    model = export(tmp_path, name)
    predict = model.compiled()
    for records in (1, 3):
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
    waveforms[1, 2, 3] = np.nan
    with pytest.raises(UserError) as refusal:
        model.predict(waveforms)
    with pytest.raises(UserError, match="record 1") as compiled_refusal:
        model.compiled()(waveforms)
    assert str(compiled_refusal.value) == str(refusal.value)


def test_an_export_without_the_signature_is_refused(tmp_path):
    module = tf.Module()
    waveform = tf.TensorSpec((None, 4, 40), tf.float32, name="waveform")
    serve = tf.function(lambda waveform: {"label": waveform[:, 0]}, input_signature=[waveform])
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": serve})
    with pytest.raises(UserError, match="no signature validate"):
        SavedModel(tmp_path).compiled()
