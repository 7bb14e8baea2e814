"""The models beside the PyTorch rebuild of the report's, with weights that both share."""

import math

import command
import keras
import numpy as np
import pytest
import torch

from benchmarks import torch_models
from tfseq import models, torch_weights

SETTINGS = {
    "mlp": {"hidden_units": (24, 10, 6), "dropout": (0, 0, 0)},
    "cnn": {"dropout": 0},
    "conv_ae": {"dropout": 0},
    "resnet": {},
}
# The report's initialization of the residual network is He's, not PyTorch's.
INITIALIZER = {"initializer": "torch"}


@pytest.fixture(params=command.REPORT)
def name(request):
    return request.param


def build_torch(name, seed):
    torch.manual_seed(seed)
    return torch_models.MODELS[name](**SETTINGS[name])


def twins(name, seed):
    """A PyTorch model with random weights and statistics, and its Keras twin."""
    network = build_torch(name, seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2.0)
    model = models.build(name, **SETTINGS[name])
    torch_weights.load(model, {key: value.numpy() for key, value in network.state_dict().items()})
    return network, model


def example(seed, records=3):
    random = np.random.default_rng(seed)
    x = random.normal(size=(records, 4, 4000)).astype(np.float32)
    return x, random.uniform(0, 4, (records, 4000)).astype(np.float32)


def torch_step(network, x, y, learning_rate):
    """One training step with plain gradient descent; returns the loss before it."""
    optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate)
    network.train()
    loss = torch.nn.functional.mse_loss(network(torch.from_numpy(x)), torch.from_numpy(y))
    loss.backward()
    optimizer.step()
    return loss.item()


@pytest.mark.parametrize("seed", [1, 2])
def test_inference_agrees(name, seed):
    network, model = twins(name, seed)
    x, _ = example(seed)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(model(x, training=False), expected, rtol=0, atol=1e-5)


def test_a_training_step_agrees(name):
    network, model = twins(name, seed=4)
    x, y = example(seed=4)
    before = [np.array(weight) for weight in model.weights]
    expected_loss = torch_step(network, x, y, learning_rate=0.1)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    assert model.train_on_batch(x, y) == pytest.approx(expected_loss, rel=1e-5)
    expected = models.build(name, **SETTINGS[name])
    torch_weights.load(expected, {k: v.numpy() for k, v in network.state_dict().items()})
    for old, ours, theirs in zip(before, model.weights, expected.weights, strict=True):
        if "moving" in ours.path:
            # PyTorch's running variance is that of a sample, n / (n - 1) times the one here.
            np.testing.assert_allclose(ours, theirs, rtol=3e-4, atol=1e-6, err_msg=ours.path)
        else:
            # Of two almost equal values under a pooling, rounding says which has the gradient.
            tolerance = 1e-2 * np.abs(np.array(theirs) - old).max() + 5e-7
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=ours.path)


def fan_ins(name):
    """The fan of every layer with weights as PyTorch counts it, under the layer's Keras name."""
    modules = build_torch(name, seed=0).named_modules()
    return {
        key.replace(".", "_"): math.prod(module.weight.shape[1:])
        for key, module in modules
        if hasattr(module, "weight") and module.weight.ndim > 1
    }


@pytest.mark.parametrize(
    ("name", "builds"), [("mlp", 1), ("cnn", 20), ("conv_ae", 8), ("resnet", 20)]
)
def test_default_weights_are_uniform_within_pytorch_s_bounds(name, builds):
    values = {layer: [] for layer in fan_ins(name)}
    for seed in range(builds):
        keras.utils.set_random_seed(seed)
        model = models.build(name, **SETTINGS[name], **INITIALIZER)
        for layer, fan_in in fan_ins(name).items():
            for variable in model.get_layer(layer).weights:
                values[layer].append(np.ravel(variable) * math.sqrt(fan_in))
    assert values
    for layer, relative in values.items():
        each = np.concatenate(relative)
        largest = np.abs(each).max()
        # Of n values the largest misses the bound by more than 20 / n once in e^20 times; the mean
        # and the deviation have five standard errors.
        assert 1 - 20 / len(each) < largest <= 1 + 1e-6, layer
        assert each.mean() == pytest.approx(0, abs=5 / math.sqrt(3 * len(each))), layer
        assert each.std() == pytest.approx(1 / math.sqrt(3), abs=1.3 / math.sqrt(len(each))), layer


@pytest.mark.parametrize("name", ["mlp", "conv_ae"])
def test_large_layers_start_with_the_distribution_that_pytorch_gives_them(name):
    keras.utils.set_random_seed(5)
    model = models.build(name, **SETTINGS[name])
    theirs = models.build(name, **SETTINGS[name])
    state = build_torch(name, seed=5).state_dict()
    torch_weights.load(theirs, {key: value.numpy() for key, value in state.items()})
    pairs = zip(model.weights, theirs.weights, strict=True)
    large = [(np.ravel(a), np.ravel(b)) for a, b in pairs if math.prod(a.shape) >= 2000]
    assert len(large) >= 3
    deciles = np.arange(0.1, 1, 0.1)
    for ours, expected in large:
        assert ours.std() == pytest.approx(expected.std(), rel=4 / math.sqrt(len(ours)))
        # Five standard errors of the difference of two medians of uniform distributions.
        tolerance = 5 * math.sqrt(2 / len(ours)) * ours.max()
        np.testing.assert_allclose(
            np.quantile(ours, deciles), np.quantile(expected, deciles), rtol=0, atol=tolerance
        )


def test_the_residual_network_starts_with_he_s_deviation():
    kernels = []
    for seed in range(20):
        keras.utils.set_random_seed(seed)
        model = models.build("resnet", **SETTINGS["resnet"])
        for layer, fan_in in fan_ins("resnet").items():
            kernels.append(np.ravel(model.get_layer(layer).kernel) * math.sqrt(fan_in / 2))
    values = np.concatenate(kernels)
    assert values.std() == pytest.approx(1, abs=5 / math.sqrt(2 * len(values)))
    assert values.mean() == pytest.approx(0, abs=5 / math.sqrt(len(values)))
