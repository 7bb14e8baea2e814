"""The models run on Keras's JAX backend, and TensorFlow has no part in it."""

import json
from pathlib import Path

import command
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"

SCRIPT = """
import json, sys
import keras, numpy as np
from tfseq import models, torch_weights
from tfseq.models import lowering

errors, losses = {}, {}
for name in sys.argv[2:]:
    settings = {"mlp": {"hidden_units": (16, 12, 8)}}.get(name, {})
    settings |= {} if name == "resnet" else {"dropout": 0}
    path = f"{sys.argv[1]}/{name}.npz"
    model = models.build(name, **settings)
    torch_weights.load(model, path)
    arrays = np.load(path)
    output = keras.ops.convert_to_numpy(model(arrays["x"], training=False))
    errors[name] = float(np.abs(output - arrays["output"]).max())
    lowered = lowering.Lowered(model)
    output = keras.ops.convert_to_numpy(lowered(arrays["x"], training=False))
    errors[f"{name} lowered"] = float(np.abs(output - arrays["output"]).max())
    if name != "conv_ae":  # whose strips take longest to compile
        output = keras.ops.convert_to_numpy(lowering.XlaInference(model)(arrays["x"]))
        errors[f"{name} in strips"] = float(np.abs(output - arrays["output"]).max())
    if name in ("cnn", "resnet"):
        lowered.compile("sgd", "mse")
        losses[name] = [float(lowered.train_on_batch(arrays["x"], arrays["y"])) for _ in range(2)]
print(keras.backend.backend(), "tensorflow" in sys.modules)
print(json.dumps(errors))
print(json.dumps(losses))
"""


@pytest.fixture(scope="module")
def answer(python):
    # Compiling is most of the work; without optimization it takes half as long.
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    # GPUs multiply in TensorFloat-32 unless told otherwise.
    precision = {"JAX_DEFAULT_MATMUL_PRECISION": "highest"}
    environment = {"KERAS_BACKEND": "jax", "XLA_FLAGS": flags, **precision}
    return python(SCRIPT, GOLDEN, *command.REPORT, **environment).splitlines()


def test_the_output_is_that_of_pytorch(answer):
    errors = json.loads(answer[1])
    assert len(errors) == 3 * len(command.REPORT) - 1
    assert max(errors.values()) <= 1e-5, errors


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_a_lowered_model_learns(name, answer, golden):
    first, second = json.loads(answer[2])[name]
    assert first == pytest.approx(golden(name)["losses"][0], rel=1e-5)
    assert second < first


def test_the_models_need_no_tensorflow(answer):
    assert answer[0] == "jax False"
