"""What the tests of the pipeline share: one run of it for each model."""

import functools
import os

# TFX's components compute beside TensorFlow's tests, and none needs a GPU.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import pipelines
import pytest


@pytest.fixture(scope="session")
def pushed(builder, data_dir, pool, tmp_path_factory):
    """Returns a function that starts a model's pipeline if need be, and returns its future."""
    folder = tmp_path_factory.mktemp("pipelines")

    def run(model):
        arguments = (*pipelines.GOOD[model], *pipelines.SMALL, f"--data_dir={data_dir}")
        return pipelines.run(folder / model, *arguments)

    return functools.cache(lambda model: pool.submit(run, model))


@pytest.fixture(scope="session")
def cnn(pushed):
    """The run of the CNN's pipeline; that of the residual network runs beside it."""
    pushed("resnet")
    run = pushed("cnn").result()
    run.finished.check()
    return run
