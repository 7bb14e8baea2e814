"""A model that was trained in mixed precision is served in the types that it computes in."""

import keras
import numpy as np
import pytest

from tfseq import models
from tfseq.models import lowering, precision
from tfseq.saved_model import SavedModel
from tfseq.serving import signatures

WAVEFORMS = np.random.default_rng(0).normal(size=(3, 4, 4000)).astype(np.float32)
SETTINGS = {"mlp": {"hidden_units": (16, 12, 8)}, "seqnet": {"filters": 8, "blocks": 2}}
NAMES = ("mlp", "cnn", "conv_ae", "resnet", "seqnet")


def built(name, policy):
    """A model with weights that a training might have left."""
    keras.config.set_dtype_policy(policy)
    try:
        model = models.build(name, **SETTINGS.get(name, {}))
    finally:
        keras.config.set_dtype_policy("float32")
    random = np.random.default_rng(1)
    for weight in model.weights:
        # Variances among them are positive.
        weight.assign(random.uniform(0.1, 0.2, weight.shape))
    return model


def labels(model):
    return model.predict(WAVEFORMS, verbose=0)


def number_of_bytes(model):
    return sum(weight.numpy().nbytes for weight in model.weights)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", NAMES)
def test_labels_are_the_same_from_weights_of_half_the_size(name, policy):
    model = built(name, policy)
    served = precision.served(model, "trained")
    assert labels(served).dtype == np.float32
    np.testing.assert_array_equal(labels(served), labels(model))
    assert number_of_bytes(served) < number_of_bytes(model)
    assert all(weight.dtype == "float32" for weight in model.weights), "it is left as it is"


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_what_the_same_weights_give_without_mixed_precision(name):
    served = precision.served(built(name, "mixed_bfloat16"), "float32")
    np.testing.assert_array_equal(labels(served), labels(built(name, "float32")))
    assert lowering.pays(served) == (name != "mlp"), "other layouts are for float32"


@pytest.mark.parametrize("chosen", ["trained", "float32"])
def test_a_model_in_float32_is_served_as_it_is(chosen):
    model = built("cnn", "float32")
    assert precision.served(model, chosen) is model


def test_an_export_holds_half_as_much_and_answers_the_same(tmp_path):
    model = built("mlp", "mixed_bfloat16")
    sizes = {}
    for name, each in {"whole": model, "served": precision.served(model, "trained")}.items():
        signatures.save(each, tmp_path / name)
        weights = tmp_path / name / "variables" / "variables.data-00000-of-00001"
        sizes[name] = weights.stat().st_size
    assert sizes["served"] < 0.55 * sizes["whole"]
    exported = SavedModel(tmp_path / "served")
    np.testing.assert_array_equal(exported.predict(WAVEFORMS), labels(model))
    assert exported.labeller(10**6) == exported.predict, "XLA rounds at other places"
    # Eight roundings to 8 bits, which XLA leaves out.
    np.testing.assert_allclose(exported.compiled()(WAVEFORMS), labels(model), rtol=8 * 2**-8)


@pytest.mark.parametrize("chosen", ["trained", "float32"])
def test_what_comes_before_the_network_is_copied_too(chosen):
    """The means and variances of the channels, and the views of them."""
    scaling = ((1.0, 2.0, 3.0, 4.0), (0.5, 1.0, 2.0, 4.0))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.build(
            "seqnet",
            waveform_shape=(4, 400),
            scaling=scaling,
            views=("waveform", "log_envelope"),
            **SETTINGS["seqnet"],
        )
    finally:
        keras.config.set_dtype_policy("float32")
    waveform = WAVEFORMS[:, :, :400]
    served = precision.served(model, chosen).predict(waveform, verbose=0)
    difference = np.abs(served - model.predict(waveform, verbose=0)).max()
    assert difference == 0 if chosen == "trained" else 0 < difference < 0.1
