"""What the tests of several layouts share."""

import keras
import numpy as np
import pytest
from convolution_models import MODELS


@pytest.fixture(params=MODELS)
def model_and_input(request):
    """A model, and three records for it."""
    keras.utils.set_random_seed(3)
    model = MODELS[request.param]()
    for weight in model.weights:  # zeros and ones would hide mistakes
        weight.assign(np.random.default_rng(weight.shape[-1]).uniform(0.5, 1.5, weight.shape))
    x = np.random.default_rng(4).normal(size=(3, *model.input.shape[1:])).astype(np.float32)
    return model, x
