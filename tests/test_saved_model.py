"""An export that is compiled answers as it does uncompiled, and refuses the same."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tfseq import models
from tfseq.errors import UserError
from tfseq.native.frames import LoweredToFrames
from tfseq.saved_model import SavedModel
from tfseq.serving import signatures

WAVEFORMS = np.random.default_rng(0).normal(size=(37, 4, 400)).astype(np.float32)


def export(folder, name, half_width=None, within=None, **settings):
    """An export of a small model with random weights."""
    keras.utils.set_random_seed(0)
    model = models.build(name, waveform_shape=WAVEFORMS.shape[1:], **settings)
    signatures.save(model, folder, half_width=half_width, within=within)
    return SavedModel(folder)


REFERENCE = Path(__file__).parents[1] / "saved_models"


@pytest.mark.parametrize("name", ["cnn", "conv_ae", "resnet", "seqnet"])
def test_a_reference_model_is_compiled_and_labels_as_uncompiled(name):
    model = SavedModel(REFERENCE / name / "1")
    waveform = np.random.default_rng(1).normal(size=(1, 4, 4000)).astype(np.float32)
    # resnet divides by the root of a variance of 4e-7, which enlarges rounding.
    tolerance = 3e-4 if name == "resnet" else 1e-5
    labels, expected = model.compiled()(waveform), model.predict(waveform)
    np.testing.assert_allclose(labels, expected, rtol=tolerance, atol=tolerance)


# Own kernels do not know tanh, and leave it to XLA.
@pytest.mark.parametrize(
    "name, activation",
    [("cnn", "relu"), ("resnet", "relu"), ("cnn", "tanh"), ("seqnet", "silu"), ("seqnet", "tanh")],
)
def test_compiled_labels_are_those_of_predict_for_any_number_of_records(name, activation, tmp_path):
    model = export(tmp_path, name, activation=activation)
    predict = model.compiled()
    many = np.tile(WAVEFORMS, (5, 1, 1))
    tolerance = 1e-5 if name == "seqnet" else 1e-6  # 22 convolutions of up to 320 numbers a sum
    for records in (0, 1, 3, 37, 130):  # up to 128 at a time, but for kernels of all layers
        expected = model.predict(many[:records])
        np.testing.assert_allclose(predict(many[:records]), expected, rtol=0, atol=tolerance)


def test_many_channels_are_labelled_by_the_kernels_that_train_them(tmp_path):
    model = export(tmp_path, "seqnet", filters=16)
    network = model._network()
    expected = LoweredToFrames(network)(WAVEFORMS)  # XLA rounds elsewhere
    np.testing.assert_array_equal(model.compiled()(WAVEFORMS), expected)


def test_doubles_are_labelled_as_their_float32(tmp_path):
    model = export(tmp_path, "cnn")
    expected = model.predict(WAVEFORMS)
    for predict in (model.predict, model.compiled()):
        np.testing.assert_allclose(predict(WAVEFORMS.astype("f8")), expected, rtol=0, atol=1e-6)


def test_all_that_a_model_may_begin_with_is_compiled(tmp_path):
    scaling = np.arange(1, 5, dtype=np.float32), np.arange(2, 6, dtype=np.float32)
    settings = {"views": ("rectified", "log_gain"), "classifier": True}
    model = models.build("cnn", waveform_shape=(4, 400), scaling=scaling, **settings)
    signatures.save(model, tmp_path)
    exported = SavedModel(tmp_path)
    np.testing.assert_allclose(
        exported.compiled()(WAVEFORMS), exported.predict(WAVEFORMS), rtol=0, atol=1e-5
    )


def test_a_model_with_intervals_answers_its_label(tmp_path):
    half_width = models.build("cnn", waveform_shape=WAVEFORMS.shape[1:])
    model = export(tmp_path, "resnet", half_width)
    assert model.has_intervals
    np.testing.assert_allclose(
        model.compiled()(WAVEFORMS), model.predict(WAVEFORMS), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("name, activation", [("cnn", "relu"), ("cnn", "tanh"), ("seqnet", "silu")])
def test_what_predict_refuses_is_refused_in_its_words(name, activation, tmp_path):
    model = export(tmp_path, name, activation=activation)
    waveforms = WAVEFORMS.copy()
    waveforms[20, 2, 3] = np.nan
    with pytest.raises(UserError) as refusal:
        model.predict(waveforms)
    with pytest.raises(UserError, match="record 20") as compiled_refusal:
        model.compiled()(waveforms)
    assert str(compiled_refusal.value) == str(refusal.value)


def test_another_shape_is_refused_in_the_words_of_predict(tmp_path):
    model, waveforms = export(tmp_path, "cnn"), WAVEFORMS[:, :3]
    with pytest.raises(UserError) as refusal:
        model.predict(waveforms)
    with pytest.raises(UserError) as compiled_refusal:
        model.compiled()(waveforms)
    assert str(compiled_refusal.value) == str(refusal.value)


def test_what_the_schema_does_not_expect_is_labelled_as_predict_does(tmp_path):
    model = export(tmp_path, "cnn", within=(-9.0, 9.0))
    waveforms = WAVEFORMS.copy()
    waveforms[20] *= 100
    np.testing.assert_allclose(
        model.compiled()(waveforms), model.predict(waveforms), rtol=1e-5, atol=1e-5
    )


def test_many_records_are_labelled_by_what_is_compiled(tmp_path):
    model = export(tmp_path, "cnn")
    assert model.labeller(100) == model.predict
    many = model.labeller(10**6)
    assert many != model.predict
    np.testing.assert_allclose(many(WAVEFORMS), model.predict(WAVEFORMS), rtol=0, atol=1e-6)


def test_an_export_without_its_layers_is_refused_and_labels_many_as_it_is(tmp_path):
    export(tmp_path, "cnn")
    (tmp_path / signatures.ARCHITECTURE).unlink()
    model = SavedModel(tmp_path)
    with pytest.raises(UserError, match="to compile; export the model again"):
        model.compiled()
    assert model.labeller(10**6) == model.predict


@pytest.mark.parametrize("damage", ["{}", "[]", '{"class_name": "Functional"}', "another model"])
def test_layers_that_are_not_those_of_the_export_are_refused(damage, tmp_path):
    model = export(tmp_path, "cnn")
    if damage == "another model":
        damage = models.build("conv_ae", waveform_shape=(4, 400)).to_json()
    (tmp_path / signatures.ARCHITECTURE).write_text(damage)
    with pytest.raises(UserError, match="does not fit the model beside it"):
        model.compiled()
