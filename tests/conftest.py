"""What several test files share: a small data set, the golden vectors, another process."""

import functools
import os
import signal
import subprocess
import sys
from concurrent import futures
from pathlib import Path

import command
import numpy as np
import pytest

from tfseq.quick_import import quick_import

# A shell's background job ignores SIGINT, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# PyTorch's CUDA build loads triton where it is installed, which crashes beside TensorFlow.
sys.modules.setdefault("triton", None)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The tolerances are those of float32; GPUs multiply in TensorFloat-32 unless told otherwise.
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
# Several processes of the tests share a GPU.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

if "PYTEST_XDIST_WORKER" in os.environ:  # who hands out the tests imports nothing
    with quick_import():
        import tensorflow  # noqa: F401

_LONGEST = (
    *("test_benchmarks.py", "test_tutorial.py", "test_train_continues.py", "test_trainer.py"),
    *("test_multi_worker.py", "test_pusher_kills.py", "test_jax_backend.py", "test_search.py"),
    *("test_cross_validate.py", "test_distributed.py", "test_intervals.py", "test_train.py"),
)
"""The files that take minutes. They come first: no process then waits for another's long one."""

_GOLDEN = Path(__file__).with_name("golden")
_GOLDEN_SETTINGS = {
    "mlp": {"hidden_units": (16, 12, 8), "dropout": (0, 0, 0)},
    "cnn": {"dropout": 0},
    "conv_ae": {"dropout": 0},
    "resnet": {},
}


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Where the tests keep data sets."""
    return tmp_path_factory.mktemp("tensorflow_datasets")


@pytest.fixture(scope="session")
def builder(data_dir):
    """simulated_emg with 50, 20 and 20 records."""
    from tfseq import datasets

    return datasets.load(
        "simulated_emg",
        data_dir=data_dir,
        train_records=50,
        validation_records=20,
        test_records=20,
    )


@pytest.fixture(scope="session")
def golden():
    """Returns a function from a model's name to the arrays that PyTorch computed."""

    def read(name):
        with np.load(_GOLDEN / f"{name}.npz") as arrays:
            return dict(arrays)

    return read


@pytest.fixture(scope="session")
def golden_model():
    """Returns a function from a model's name to a model with the weights of the golden vectors."""
    from tfseq import models, torch_weights

    def build(name):
        model = models.build(name, **_GOLDEN_SETTINGS[name])
        torch_weights.load(model, _GOLDEN / f"{name}.npz")
        return model

    return build


@pytest.fixture(scope="session")
def python():
    """Returns a function that runs a script in another process and returns its standard output."""

    def run(script, *arguments, **environment):
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def pool():
    """Two threads that wait for commands: others go on while one is slow to begin."""
    with futures.ThreadPoolExecutor(2) as executor:
        yield executor
        executor.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def trained(builder, data_dir, pool, tmp_path_factory):
    """Returns a function that starts the run of a model if need be, and returns its future."""
    folder = tmp_path_factory.mktemp("trained")

    def run(model):
        settings = (*command.RECORDS, *command.MODELS[model], "--epochs=2", "--batch_size=16")
        places = (f"--data_dir={data_dir}", f"--workdir={model}", "--export_dir=exports")
        finished = command.run("train", f"--model={model}", *settings, *places, cwd=folder)
        return command.Trained(model, finished, folder / model, folder / "exports")

    return functools.cache(lambda model: pool.submit(run, model))
