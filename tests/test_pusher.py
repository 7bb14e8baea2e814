"""What is exported is whole, numbered, stored once, and runs where there is only TensorFlow."""

import json
import time
from concurrent import futures

import command
import keras
import numpy as np
import pytest

from tfseq import models, pusher
from tfseq.errors import UserError
from tfseq.pusher import next_version, push
from tfseq.saved_model import SavedModel
from tfseq.serving import signatures, warmup

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


DOCUMENTS = {
    "config.json": {"model": {"name": "cnn"}, "seed": 3},
    "evaluation.json": {"model": "cnn", "dataset": "simulated_emg"},
}
BESIDE = ["batching_parameters.txt", "models.config", "monitoring.config"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def served(golden_model, python, tmp_path_factory):
    """By model: the records, what Keras predicts, and what another process does for 3, 1 and 0."""
    folder = tmp_path_factory.mktemp("served")
    x = np.random.default_rng(0).normal(size=(3, 4, 4000)).astype(np.float32)
    np.save(folder / "x.npy", x)
    built = {name: golden_model(name) for name in command.REPORT}
    versions = {name: folder / name for name in built}
    for name, model in built.items():
        signatures.save(model, versions[name])
    python(SERVER, folder, *versions.values())
    with np.load(folder / "y.npz") as answers:
        return {
            name: (
                keras.ops.convert_to_numpy(model(x, training=False)),
                {count: answers[f"{versions[name]} {count}"] for count in (3, 1, 0)},
            )
            for name, model in built.items()
        }


@pytest.mark.parametrize("name", command.REPORT)
@pytest.mark.parametrize("count", [3, 1, 0])
def test_another_process_predicts_what_the_model_does(name, count, served):
    expected, answers = served[name]
    assert answers[count].dtype == np.float32
    assert answers[count].shape == (count, 4000)
    np.testing.assert_allclose(answers[count], expected[:count], rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """A version with its documents, in a folder with its name."""
    base = tmp_path_factory.mktemp("saved models") / "cnn"
    return push(tiny(), base, DOCUMENTS, dataset="simulated_emg/default/1.0.0")


def test_documents_lie_beside_the_model_as_json(pushed):
    for name, content in DOCUMENTS.items():
        assert json.loads((pushed / name).read_text(encoding="utf-8")) == content
    assert SavedModel(pushed).config == DOCUMENTS["config.json"]


def test_a_version_holds_its_card_and_the_warm_up_requests(pushed):
    card = (pushed / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# cnn\n")
    assert "`simulated_emg/default/1.0.0`" in card
    assert "199 trainable parameters" in card
    assert {request.signature for request in warmup.read(pushed)} == {
        "serving_default",
        "serving_examples",
        "validate",
    }


def test_a_version_that_is_what_would_be_pushed_is_found(tmp_path):
    interval = {"coverage": 0.0, "epochs": 10}
    config = {"interval": interval, "precision": "mixed_bfloat16", "serving_precision": "trained"}
    version = tmp_path / "cnn" / "1"
    version.mkdir(parents=True)
    # A former version's, which knew of no other precision than the training's.
    before = {"interval": interval, "precision": "mixed_bfloat16"}
    (version / "config.json").write_text(json.dumps(before))

    def found(base, named, **changed):
        return pusher.pushed(tmp_path / base, named and str(named), config | changed)

    assert found("cnn", version) == version
    assert found("cnn", version, interval=interval | {"coverage": 0.9}) is None
    assert found("cnn", version, serving_precision="float32") is None
    (version / "config.json").write_text(json.dumps(before | {"precision": "float32"}))
    in_float32 = {"precision": "float32", "serving_precision": "float32"}
    assert found("cnn", version, **in_float32) == version, "it would be the same"
    assert found("elsewhere/cnn", version) is None
    assert found("cnn", tmp_path / "cnn" / "2") is None
    assert found("cnn", None) is None


def test_versions_count_up_from_1_and_the_newest_stay(tmp_path):
    base = tmp_path / "saved_models" / "cnn"
    kept = []
    for _ in range(3):
        version = push(tiny(), base, {}, keep_versions=2)
        assert (version / "saved_model.pb").is_file()
        kept.append(names(base))
    assert kept == [["1", *BESIDE], ["1", "2", *BESIDE], ["2", "3", *BESIDE]]


def test_a_version_is_one_more_than_the_highest_whatever_else_is_there(tmp_path):
    for name in ("3", "12", "v20", "30.bak", "-40", "²", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").write_text("notes")
    assert next_version(tmp_path) == 13
    before = names(tmp_path)
    assert push(tiny(), tmp_path, {}, keep_versions=1) == tmp_path / "13"
    # A folder without a model is not the pusher's to remove.
    assert names(tmp_path) == sorted([*before, "13", *BESIDE])


@pytest.mark.parametrize(
    ("broken", "error"),
    [({"b.json": object()}, TypeError), ({"no/such/folder.json": 1}, UserError)],
)
def test_a_failure_leaves_nothing_behind(broken, error, tmp_path):
    with pytest.raises(error):
        push(tiny(), tmp_path, {"a.json": 1, **broken})
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--export_dir: cannot write a version to .*cnn: Not a"):
        push(tiny(), tmp_path / "file" / "cnn", {})


def test_a_version_is_not_seen_before_it_is_whole(tmp_path):
    with futures.ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(push, tiny(), tmp_path, {"config.json": {}})
        while not (tmp_path / "1").exists():
            assert not pushing.done() or pushing.result()
            time.sleep(0.001)
        appeared = {path.name for path in (tmp_path / "1").iterdir()}
        assert pushing.result() == tmp_path / "1"
    assert appeared == {path.name for path in (tmp_path / "1").iterdir()}
    assert {"saved_model.pb", "variables", "README.md", "config.json"} < appeared


def test_several_writers_get_a_version_each(tmp_path):
    built = [tiny(seed) for seed in range(3)]
    with futures.ThreadPoolExecutor(2) as pool:
        pushed = pool.map(lambda seed: push(built[seed], tmp_path, {"s.json": seed}), range(3))
        versions = list(pushed)
    assert sorted(path.name for path in versions) == ["1", "2", "3"]
    assert names(tmp_path) == ["1", "2", "3", *BESIDE]
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
