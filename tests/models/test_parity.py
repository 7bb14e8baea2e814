"""The models compute what the report's PyTorch models compute, number by number.

tests/golden holds what PyTorch computed: see `golden_model` in conftest.py for the settings.
"""

import math

import command
import numpy as np
import pytest

from tfseq import configs, models, optimizers


@pytest.fixture(params=command.REPORT)
def name(request):
    return request.param


def train(model, name, arrays):
    """Takes the five steps and returns the loss before each."""
    model.compile(optimizer=optimizers.make(**configs.get(name).optimizer), loss="mse")
    losses = []
    for _ in arrays["losses"]:
        model.reset_metrics()
        losses.append(float(model.train_on_batch(arrays["x"], arrays["y"])))
    return losses


def test_inference_gives_the_output_of_pytorch(name, golden, golden_model):
    arrays = golden(name)
    output = golden_model(name)(arrays["x"], training=False)
    np.testing.assert_allclose(output, arrays["output"], rtol=0, atol=1e-5)


def test_five_training_steps_have_the_losses_of_pytorch(name, golden, golden_model):
    arrays = golden(name)
    losses = train(golden_model(name), name, arrays)
    # The first RMSprop steps are signs of gradients: they amplify rounding.
    rtol = {"conv_ae": 1e-2}.get(name, 1e-4)
    np.testing.assert_allclose(losses, arrays["losses"], rtol=rtol)
    assert losses[0] == pytest.approx(arrays["losses"][0], rel=1e-5)


# Not where Adam or the convolutions' RMSprop makes steps of the signs of gradients that are zero
# but for rounding: those of biases before a batch normalization.
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_inference_after_five_training_steps_gives_the_output_of_pytorch(
    name, golden, golden_model
):
    arrays = golden(name)
    model = golden_model(name)
    train(model, name, arrays)
    output = model(arrays["x"], training=False)
    np.testing.assert_allclose(output, arrays["output_after_training"], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "count"),
    [("mlp", 216_022_000), ("cnn", 199), ("conv_ae", 1_034_320), ("resnet", 47)],
)
def test_the_report_s_settings_have_as_many_trainable_parameters_as_the_report_s(name, count):
    model = models.build(**configs.get(name).model.to_dict())
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == count
