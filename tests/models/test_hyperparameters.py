"""Every setting that the report varies changes the model, and every wrong one is refused."""

import inspect
from importlib import import_module

import keras
import numpy as np
import pytest

from tfseq import models
from tfseq.errors import UserError
from tfseq.models import layers

SHAPE = (4, 40)
# Dropout would hide what else changes.
BASE = {
    "mlp": {"hidden_units": (16, 12, 8), "dropout": 0},
    "cnn": {"dropout": 0},
    "conv_ae": {"dropout": 0},
    "resnet": {},
    "seqnet": {"filters": 8, "blocks": 3},
}
OTHERS = {
    "mlp": {"hidden_units": [(16, 12, 9), (8,), (30, 20, 10, 5)], "batch_norm": [True]},
    "cnn": {"filters": [(2, 5, 4), (4, 8, 4)], "batch_norm": [False], "classifier": [True]},
    "conv_ae": {
        "filters": [(2, 5, 4)],
        "batch_norm": [False],
        "classifier": [True],
        "latent_units": [8, 128],
        "autoencoder_activation": ["relu", "tanh"],
        "negative_slope": [0.3],
    },
    "resnet": {"filters": [1, 4], "batch_norm": [False]},
    "seqnet": {
        "filters": [4],
        "blocks": [1, 7],
        "kernel_size": [3, 7],
        "frame_steps": [1, 10, 64],
        "context": [False],
    },
}
VARIANTS = [
    (name, key, value)
    for name, settings in OTHERS.items()
    for key, values in settings.items()
    for value in values
]
DEFAULTS = {"resnet": ("relu", "he_normal"), "seqnet": ("silu", "glorot_uniform")}
VARIANTS += [(name, "layout", "time") for name in ("cnn", "conv_ae", "resnet")]
VARIANTS += [
    (name, "activation", value)
    for name in BASE
    for value in layers.ACTIVATIONS
    if value != DEFAULTS.get(name, ("relu",))[0]
]
VARIANTS += [
    (name, "initializer", value)
    for name in BASE
    for value in layers.INITIALIZERS
    if value != DEFAULTS.get(name, ("relu", "torch"))[1]
]


def labels(name, **settings):
    """What the model gives for the same records and seed, in training and in inference."""
    keras.utils.set_random_seed(0)
    model = models.build(name, waveform_shape=SHAPE, **BASE[name] | settings)
    x = np.random.default_rng(0).normal(size=(8, *SHAPE)).astype(np.float32)
    return [keras.ops.convert_to_numpy(model(x, training=training)) for training in (True, False)]


@pytest.fixture(scope="module")
def default_labels():
    return {name: labels(name) for name in BASE}


@pytest.mark.parametrize(("name", "key", "value"), VARIANTS)
def test_the_setting_changes_the_label(name, key, value, default_labels):
    trained, inferred = labels(name, **{key: value})
    assert trained.shape == inferred.shape == (8, SHAPE[1])
    assert np.isfinite(trained).all()
    assert np.isfinite(inferred).all()
    assert np.abs(trained - default_labels[name][0]).max() > 1e-4


@pytest.mark.parametrize("name", BASE)
def test_the_slope_is_that_of_leaky_relu(name):
    flat, steep, relu = (
        labels(name, activation=activation, negative_slope=slope)[0]
        for activation, slope in [("leaky_relu", 0.0), ("leaky_relu", 0.2), ("relu", 0.0)]
    )
    assert np.abs(flat - steep).max() > 1e-4
    np.testing.assert_array_equal(flat, relu)


@pytest.mark.parametrize(("name", "count"), [("mlp", 3), ("cnn", 2), ("conv_ae", 2), ("seqnet", 3)])
def test_each_layer_has_the_dropout_rate_that_it_is_given(name, count):
    alone = [0.2] if name == "seqnet" else [0.2, (0.2,), (0.1, 0.2, 0.4)[:count]]
    for given in alone:
        model = models.build(name, waveform_shape=SHAPE, **BASE[name] | {"dropout": given})
        rates = [layer.rate for layer in model.layers if hasattr(layer, "rate")]
        assert rates == (list(given) if np.size(given) > 1 else [0.2] * count)


@pytest.mark.parametrize("name", BASE)
def test_every_setting_is_varied_here(name):
    settings = list(inspect.signature(import_module(f"tfseq.models.{name}").network).parameters)[1:]
    varied = {key for variant, key, _ in VARIANTS if variant == name}
    assert set(settings) == varied | {"negative_slope"} | ({"dropout"} & set(settings))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mlp", {"hidden_units": ()}, r"hidden_units: .*\(\)"),
        ("mlp", {"hidden_units": (8, 0, 8)}, r"hidden_units: .*\(8, 0, 8\)"),
        ("mlp", {"dropout": (0.1, 0.2)}, r"dropout: expected 3 rates .*\(0.1, 0.2\)"),
        ("mlp", {"dropout": 1.0}, r"dropout: expected 3 rates .* 1.0"),
        ("cnn", {"dropout": -0.1}, r"dropout: expected 2 rates .* -0.1"),
        ("cnn", {"dropout": (0.1, 0.1, 0.1)}, r"dropout: expected 2 rates"),
        ("cnn", {"filters": ()}, r"filters: .*\(\)"),
        ("cnn", {"filters": (2, 0, 4)}, r"filters: .*\(2, 0, 4\)"),
        ("cnn", {"filters": (2, 3, 5)}, r"50 values for 40 steps"),
        ("cnn", {"activation": "swish7"}, r"activation: .*'swish7'; there are relu, leaky_relu"),
        ("cnn", {"initializer": "zeros"}, r"initializer: .*'zeros'; there are torch, he_normal"),
        ("cnn", {"activation": "leaky_relu", "negative_slope": -1.0}, r"negative_slope: .*-1.0"),
        ("conv_ae", {"latent_units": 0}, r"latent_units: .*0"),
        ("conv_ae", {"autoencoder_activation": "x"}, r"autoencoder_activation: .*'x'"),
        ("resnet", {"filters": 0}, r"filters: .*0"),
        ("resnet", {"initializer": "ones"}, r"initializer: .*'ones'"),
        ("resnet", {"layout": "steps"}, r"layout: .*'steps'; there are report, time"),
        ("cnn", {"layout": "x"}, r"layout: .*'x'"),
        ("seqnet", {"blocks": 0}, r"blocks: .*0"),
        ("seqnet", {"filters": 0}, r"filters: .*0"),
        ("seqnet", {"frame_steps": -1}, r"frame_steps: .*-1"),
        ("seqnet", {"kernel_size": 4}, r"kernel_size: expected an odd number, got 4"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_naming_the_setting(name, settings, message):
    with pytest.raises(UserError, match=message):
        models.build(name, waveform_shape=SHAPE, **BASE[name] | settings)
