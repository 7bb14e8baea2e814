"""An export is plain TensorFlow, stored once, whatever trained the model."""

import math
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfseq import models, schema
from tfseq.errors import UserError
from tfseq.saved_model import SavedModel
from tfseq.serving import signatures


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A CNN that XLA has trained, exported."""
    folder = tmp_path_factory.mktemp("exported")
    keras.utils.set_random_seed(0)
    model = models.build("cnn", waveform_shape=(4, 40))
    model.compile(optimizer="sgd", loss="mse", jit_compile=True)
    model.train_on_batch(np.ones((2, 4, 40), np.float32), np.ones((2, 40), np.float32))
    signatures.save(model, folder)
    return folder


def graph_of(folder):
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    return graph, [*graph.node, *(n for each in graph.library.function for n in each.node_def)]


def test_the_graph_is_made_of_tensorflow_s_own_operations_without_xla(exported):
    graph, nodes = graph_of(exported)
    functions = {function.signature.name for function in graph.library.function}
    attributes = [function.attr for function in graph.library.function]
    assert len(nodes) > 50
    for node in nodes:
        assert node.op in functions or hasattr(tf.raw_ops, node.op), node.op
        assert "xla" not in node.op.lower()
    for attribute in [*attributes, *(node.attr for node in nodes)]:
        assert not attribute["_XlaMustCompile"].b


PLAIN_TENSORFLOW = """
import sys
import numpy as np, tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
np.save(sys.argv[3], serve(waveform=tf.constant(np.load(sys.argv[2])))["label"].numpy())
"""


def test_dilated_convolutions_are_one_operation_each_on_any_processor(tmp_path):
    keras.utils.set_random_seed(0)
    settings = {"filters": 16, "blocks": 3, "kernel_size": 3, "activation": "gelu"}
    model = models.build("seqnet", waveform_shape=(4, 400), **settings)
    signatures.save(model, tmp_path / "model")
    _, nodes = graph_of(tmp_path / "model")
    assert not [node for node in nodes if node.op == "SpaceToBatchND"]
    waveform = np.random.default_rng(0).normal(size=(3, 4, 400)).astype(np.float32)
    np.save(tmp_path / "x.npy", waveform)
    files = [str(tmp_path / name) for name in ("model", "x.npy", "y.npy")]
    for with_onednn in ("1", "0"):  # that of Arm and of older processors is another convolution
        environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": with_onednn}
        subprocess.run(
            [sys.executable, "-c", PLAIN_TENSORFLOW, *files], env=environment, check=True
        )
        labels, expected = np.load(files[2]), model(waveform, training=False)
        np.testing.assert_allclose(labels, expected, rtol=0, atol=1e-5)


def test_the_signatures_have_the_inputs_and_outputs_that_are_documented(exported):
    signatures = tf.saved_model.load(str(exported)).signatures
    waveform = {"waveform": tf.TensorSpec((None, 4, 40), tf.float32, "waveform")}
    label = tf.TensorSpec((None, 40), tf.float32, "label")
    assert set(signatures) == {"serving_default", "serving_examples", "validate"}
    assert signatures["serving_default"].structured_input_signature == ((), waveform)
    assert signatures["serving_default"].structured_outputs == {"label": label}
    examples = {"examples": tf.TensorSpec((None,), tf.string, "examples")}
    assert signatures["serving_examples"].structured_input_signature == ((), examples)
    assert signatures["serving_examples"].structured_outputs == {"label": label}
    assert signatures["validate"].structured_input_signature == ((), waveform)
    valid = tf.TensorSpec((None,), tf.bool, "valid")
    assert signatures["validate"].structured_outputs == {"label": label, "valid": valid}


def test_the_range_is_the_schema_s():
    low, high = schema.waveform_range()
    domain = schema.feature("waveform").float_domain
    assert (low == domain.min) if domain.HasField("min") else (low == -np.inf)
    assert (high == domain.max) if domain.HasField("max") else (high == np.inf)


def test_python_s_loader_turns_a_refusal_into_one_line_for_the_user(exported):
    waveform = np.zeros((2, 4, 40), np.float32)
    waveform[1, 2, 7] = np.nan
    with pytest.raises(UserError, match=r"^waveform: record 1 is nan at channel 2, step 7; expec"):
        SavedModel(exported).predict(waveform)


def test_every_weight_is_stored_once_and_no_optimizer(tmp_path):
    model = models.build("mlp", hidden_units=(64,), dropout=0)
    model.compile(optimizer="adam", loss="mse")
    model.train_on_batch(np.zeros((1, 4, 4000), "f4"), np.zeros((1, 4000), "f4"))
    signatures.save(model, tmp_path)
    parameters = 4 * sum(math.prod(weight.shape) for weight in model.weights)
    stored = sum(path.stat().st_size for path in (tmp_path / "variables").iterdir())
    assert parameters > 5_000_000
    assert parameters <= stored < parameters + 20_000
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.pb")) < 300_000


def test_training_after_the_export_does_not_change_it(tmp_path):
    model = models.build("cnn", waveform_shape=(4, 40))
    x = np.random.default_rng(0).normal(size=(2, 4, 40)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(x, training=False))
    signatures.save(model, tmp_path)
    exported = SavedModel(tmp_path)
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    model.train_on_batch(x, np.ones((2, 40), "f4"))
    assert np.abs(keras.ops.convert_to_numpy(model(x, training=False)) - expected).max() > 1e-3
    np.testing.assert_allclose(exported.predict(x), expected, rtol=0, atol=1e-6)
