"""What holds for every model: names, sizes, types, and that it survives being saved."""

import doctest

import command
import keras
import numpy as np
import pytest

from benchmarks import torch_models
from tfseq import models, schema, transform
from tfseq.errors import UserError
from tfseq.pusher import push
from tfseq.saved_model import SavedModel

SMALL = {
    "mlp": {"hidden_units": (16, 12, 8), "dropout": (0, 0, 0)},
    "seqnet": {"filters": 16, "blocks": 3},
}


@pytest.fixture(params=models.names())
def name(request):
    return request.param


@pytest.fixture
def policy():
    """Sets the precision, for one test."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def build(name, **settings):
    return models.build(name, **SMALL.get(name, {}) | settings)


def waveforms(records=2, channels=4, steps=4000, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(records, channels, steps)).astype(np.float32)


def test_the_registry_names_the_models_in_alphabetical_order():
    assert models.names() == ("cnn", "conv_ae", "mlp", "resnet", "seqnet")


def test_a_model_that_is_not_there_is_refused_by_naming_those_that_are():
    with pytest.raises(
        UserError, match=r"--model: .*'gru'; there are cnn, conv_ae, mlp, resnet, seqnet"
    ):
        models.build("gru")


def test_a_setting_that_is_not_there_is_refused_by_naming_those_that_are(name):
    with pytest.raises(UserError, match=rf"--config\.model\.depth: {name} has .*'initializer'"):
        build(name, depth=3)


def test_the_example_in_the_documentation_is_right():
    result = doctest.testmod(models)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_waveform_becomes_label_in_float32_whatever_the_precision(name, precision, policy):
    policy(precision)
    model = build(name)
    (waveform,) = model.inputs
    assert (waveform.name, waveform.dtype) == ("waveform", "float32")
    assert waveform.shape == (None, *schema.waveform_shape())
    assert model.layers[-1].name == "label"
    assert model.output.dtype == "float32"
    assert model.output.shape == (None, schema.waveform_shape()[1])
    label = keras.ops.convert_to_numpy(model(waveforms()))
    assert (label.dtype, label.shape) == (np.float32, (2, 4000))
    assert np.isfinite(label).all()
    computing = {layer.compute_dtype for layer in model.layers if layer.weights}
    assert computing == {precision.removeprefix("mixed_")}


@pytest.mark.parametrize(
    ("name", "shape", "settings"),
    [
        ("mlp", (1, 7), {}),
        ("mlp", (9, 40), {}),
        ("cnn", (4, 40), {}),
        ("cnn", (5, 44), {}),
        ("cnn", (8, 40), {"filters": (2, 3, 2)}),
        ("cnn", (2, 40), {"filters": (3, 2), "dropout": 0}),
        ("cnn", (1, 9), {"filters": (1,), "dropout": 0}),
        ("cnn", (6, 43), {"classifier": True}),
        ("conv_ae", (4, 40), {}),
        ("conv_ae", (8, 40), {"filters": (2, 3, 2)}),
        ("conv_ae", (7, 43), {"classifier": True}),
        ("resnet", (4, 40), {}),
        ("resnet", (4, 7), {}),
        ("seqnet", (1, 7), {}),
        ("seqnet", (3, 1001), {}),
    ],
)
def test_other_sizes_that_fit_are_labelled_step_by_step(name, shape, settings):
    model = build(name, waveform_shape=shape, **settings)
    label = keras.ops.convert_to_numpy(model(waveforms(3, *shape)))
    assert label.shape == (3, shape[1])
    assert np.isfinite(label).all()


@pytest.mark.parametrize(
    ("name", "shape", "settings", "message"),
    [
        ("cnn", (4, 42), {}, r"4 channels x 42 steps give 40 values for 42 steps.*classifier"),
        ("cnn", (8, 40), {}, r"8 channels x 40 steps give 80 values for 40 steps"),
        ("cnn", (3, 40), {"classifier": True}, r"3 channels x 40 steps give 0 values"),
        ("conv_ae", (4, 42), {}, r"4 channels x 42 steps give 40 values for 42 steps"),
        ("conv_ae", (12, 40), {}, r"12 channels x 40 steps give 120 values"),
        ("resnet", (3, 40), {}, r"resnet .* needs 4 channels, got 3"),
        ("resnet", (8, 40), {}, r"resnet .* needs 4 channels, got 8"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_with_the_sizes(name, shape, settings, message):
    with pytest.raises(UserError, match=message):
        build(name, waveform_shape=shape, **settings)


@pytest.mark.parametrize("name", command.REPORT)
def test_layers_are_named_after_the_modules_that_the_report_prints(name):
    leaves = [
        key.replace(".", "_")
        for key, module in torch_models.MODELS[name](**SMALL.get(name, {})).named_modules()
        if not list(module.children())
    ]
    layers = [layer.name for layer in build(name).layers]
    assert len(leaves) >= 10
    assert set(leaves) <= set(layers)
    assert [layer for layer in layers if layer in leaves] == leaves


def test_dropout_drops_in_training_alone():
    for name in ("mlp", "cnn", "conv_ae", "seqnet"):
        keras.utils.set_random_seed(0)
        without = models.build(name, **SMALL.get(name, {}) | {"dropout": 0}, waveform_shape=(4, 40))
        dropping = models.build(
            name, **SMALL.get(name, {}) | {"dropout": 0.5}, waveform_shape=(4, 40)
        )
        dropping.set_weights(without.get_weights())
        x = waveforms(steps=40)
        outputs = [keras.ops.convert_to_numpy(dropping(x, training=False)) for _ in range(2)]
        np.testing.assert_array_equal(*outputs)
        np.testing.assert_array_equal(without(x, training=False), outputs[0])
        trained = [keras.ops.convert_to_numpy(dropping(x, training=True)) for _ in range(2)]
        assert not np.allclose(*trained)


def test_standardizing_gives_the_network_channels_of_mean_0_and_variance_1(name):
    x = 3 * waveforms(20, steps=40) + np.array([[5.0], [-2], [0], [1]], np.float32)
    label = np.ones((20, 40), np.float32)
    scaling, _ = transform.fit_scaling([(x[:7], label[:7]), (x[7:], label[7:])])
    np.testing.assert_allclose(scaling[0], x.mean(axis=(0, 2), dtype=np.float64), atol=1e-9)
    np.testing.assert_allclose(scaling[1], x.var(axis=(0, 2), dtype=np.float64), atol=1e-9)
    plain = build(name, waveform_shape=(4, 40))
    scaled = build(name, waveform_shape=(4, 40), scaling=scaling)
    for ours, theirs in zip(scaled.trainable_weights, plain.trainable_weights, strict=True):
        ours.assign(theirs)
    deviation = np.sqrt(scaling[1])[:, None]
    standardized = ((x - np.array(scaling[0])[:, None]) / deviation).astype(np.float32)
    np.testing.assert_allclose(scaled(x), plain(standardized), rtol=0, atol=1e-5)


@pytest.mark.parametrize("scaling", [None, ((0.1, -0.2, 0.3, 1.0), (0.5, 1.0, 2.0, 3.0))])
def test_saved_and_loaded_it_predicts_the_same(name, scaling, tmp_path):
    model = build(name, scaling=scaling)
    x = waveforms()
    expected = keras.ops.convert_to_numpy(model(x, training=False))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x, training=False), expected, rtol=0, atol=1e-6)
    version = push(model, tmp_path / name, {})
    # The export adds in another order: it is held to what `tfseq.infra_validator` demands.
    np.testing.assert_allclose(SavedModel(version).predict(x), expected, rtol=0, atol=1e-5)
