"""What is exported is whole, numbered, stored once, and runs where there is only TensorFlow."""

import json
import math
from concurrent import futures

import keras
import numpy as np
import pytest

from tfseq import models, pusher
from tfseq.pusher import next_version, push
from tfseq.saved_model import SavedModel

# A server has TensorFlow, but neither Keras's model code nor tfseq.
SERVER = """
import sys
import numpy as np, tensorflow as tf
answers = {}
for folder in sys.argv[2:]:
    serve = tf.saved_model.load(folder, tags=["serve"]).signatures["serving_default"]
    (name, waveform), = serve.structured_input_signature[1].items()
    assert (name, waveform.dtype) == ("waveform", tf.float32), waveform
    for records in (3, 1, 0):
        x = tf.constant(np.load(f"{sys.argv[1]}/x.npy")[:records])
        (name, label), = serve(waveform=x).items()
        assert name == "label", name
        answers[f"{folder} {records}"] = label.numpy()
assert "tfseq" not in sys.modules
np.savez(f"{sys.argv[1]}/y.npz", **answers)
"""


def tiny(seed=0):
    keras.utils.set_random_seed(seed)
    return models.build("cnn", waveform_shape=(4, 40))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def served(golden_model, python, tmp_path_factory):
    """By model: the records, what Keras predicts, and what another process does for 3, 1 and 0."""
    folder = tmp_path_factory.mktemp("served")
    x = np.random.default_rng(0).normal(size=(3, 4, 4000)).astype(np.float32)
    np.save(folder / "x.npy", x)
    built = {name: golden_model(name) for name in models.names()}
    versions = {name: push(model, folder / name, {}) for name, model in built.items()}
    python(SERVER, folder, *versions.values())
    with np.load(folder / "y.npz") as answers:
        return {
            name: (
                keras.ops.convert_to_numpy(model(x, training=False)),
                {count: answers[f"{versions[name]} {count}"] for count in (3, 1, 0)},
            )
            for name, model in built.items()
        }


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("count", [3, 1, 0])
def test_another_process_predicts_what_the_model_does(name, count, served):
    expected, answers = served[name]
    assert answers[count].dtype == np.float32
    assert answers[count].shape == (count, 4000)
    np.testing.assert_allclose(answers[count], expected[:count], rtol=0, atol=1e-6)


def test_versions_count_up_from_1(tmp_path):
    base = tmp_path / "saved_models" / "cnn"
    assert [push(tiny(), base, {}).name for _ in range(2)] == ["1", "2"]
    assert names(base) == ["1", "2"]
    assert (base / "2" / "saved_model.pb").is_file()


def test_a_version_is_one_more_than_the_highest_whatever_else_is_there(tmp_path):
    for name in ("3", "12", "v20", "30.bak", ".incomplete-7", "-40"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").write_text("notes")
    assert next_version(tmp_path) == 13
    before = names(tmp_path)
    assert push(tiny(), tmp_path, {}) == tmp_path / "13"
    assert names(tmp_path) == sorted([*before, "13"])


def test_documents_lie_beside_the_model_as_json(tmp_path):
    documents = {"config.json": {"model": {"name": "cnn"}}, "evaluation.json": {"mse": 0.5}}
    version = push(tiny(), tmp_path, documents)
    for name, content in documents.items():
        assert json.loads((version / name).read_text(encoding="utf-8")) == content
    assert SavedModel(version).config == documents["config.json"]


@pytest.mark.parametrize("broken", [{"b.json": object()}, {"no/such/folder.json": 1}])
def test_a_failure_leaves_nothing_behind(broken, tmp_path):
    push(tiny(), tmp_path, {})
    with pytest.raises((TypeError, OSError)):
        push(tiny(), tmp_path, {"a.json": 1, **broken})
    assert names(tmp_path) == ["1"]


def test_what_is_not_finished_is_not_a_version(tmp_path):
    seen = []

    class Watching(dict):
        def items(self):
            seen.extend(names(tmp_path))
            return super().items()

    push(tiny(), tmp_path, Watching({"config.json": {}}))
    assert len(seen) == 1
    assert not seen[0].isdigit()
    assert names(tmp_path) == ["1"]


def test_several_writers_get_a_version_each(tmp_path):
    built = [tiny(seed) for seed in range(4)]
    with futures.ThreadPoolExecutor(2) as pool:
        pushed = pool.map(lambda seed: push(built[seed], tmp_path, {"s.json": seed}), range(4))
        versions = list(pushed)
    assert sorted(path.name for path in versions) == names(tmp_path) == ["1", "2", "3", "4"]
    x = np.random.default_rng(0).normal(size=(2, 4, 40)).astype(np.float32)
    for version in versions:
        seed = json.loads((version / "s.json").read_text())
        expected = keras.ops.convert_to_numpy(built[seed](x, training=False))
        np.testing.assert_allclose(SavedModel(version).predict(x), expected, rtol=0, atol=1e-6)


def test_writers_that_finish_at_once_get_a_version_each(tmp_path):
    finished = [tmp_path / f".incomplete-{number}" for number in range(200)]
    for folder in finished:
        folder.mkdir()
        (folder / "saved_model.pb").write_text(folder.name)
    with futures.ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda folder: pusher._place(folder, tmp_path), finished))
    assert sorted(int(folder.name) for folder in placed) == list(range(1, 201))
    assert len(names(tmp_path)) == 200
    for before, after in zip(finished, placed, strict=True):
        assert (after / "saved_model.pb").read_text() == before.name


def test_every_weight_is_stored_once_and_no_optimizer(tmp_path):
    model = models.build("mlp", hidden_units=(64,), dropout=0)
    model.compile(optimizer="adam", loss="mse")
    model.train_on_batch(np.zeros((1, 4, 4000), "f4"), np.zeros((1, 4000), "f4"))
    version = push(model, tmp_path, {})
    parameters = 4 * sum(math.prod(weight.shape) for weight in model.weights)
    stored = sum(path.stat().st_size for path in (version / "variables").iterdir())
    assert parameters > 5_000_000
    assert parameters <= stored < parameters + 20_000
    assert sum(path.stat().st_size for path in version.rglob("*.pb")) < 100_000


def test_training_after_the_export_does_not_change_it(tmp_path):
    model = tiny()
    x = np.random.default_rng(0).normal(size=(2, 4, 40)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(x, training=False))
    exported = SavedModel(push(model, tmp_path, {}))
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    model.train_on_batch(x, np.ones((2, 40), "f4"))
    assert np.abs(keras.ops.convert_to_numpy(model(x, training=False)) - expected).max() > 1e-3
    np.testing.assert_allclose(exported.predict(x), expected, rtol=0, atol=1e-6)
