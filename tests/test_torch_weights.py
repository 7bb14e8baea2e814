"""Weights of the report's PyTorch models are read from every kind of file, or not at all."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tfseq import models, torch_weights
from tfseq.errors import UserError


def save_pt(path, state):
    torch.save({name: torch.from_numpy(array) for name, array in state.items()}, path)


WRITERS = {
    "plain.npz": lambda path, state: np.savez(path, **state),
    "prefixed.npz": lambda path, state: np.savez(
        path, x=np.zeros(3), **{f"state/{name}": array for name, array in state.items()}
    ),
    "w.safetensors": lambda path, state: save_file(state, path),
    "w.pt": save_pt,
}
SUFFIXES = (".npz", ".safetensors", ".pt")


@pytest.fixture
def model():
    return models.build("cnn", waveform_shape=(4, 40))


@pytest.fixture
def state(golden):
    """The report's names with arrays that no initialization gives, in PyTorch's layouts."""
    prefix = "state/"
    golden_names = {key.removeprefix(prefix): value for key, value in golden("cnn").items()}
    random = np.random.default_rng(0)
    return {
        name: random.uniform(2, 3, array.shape).astype(np.float32)
        for name, array in golden_names.items()
        if name.startswith("features")
    }


def assert_loaded(model, state):
    layer = model.get_layer("features_5")
    kernel = np.array(layer.kernel)
    np.testing.assert_array_equal(kernel.transpose(3, 2, 0, 1), state["features.5.weight"])
    np.testing.assert_array_equal(layer.bias, state["features.5.bias"])
    norm = model.get_layer("features_8")
    np.testing.assert_array_equal(norm.gamma, state["features.8.weight"])
    np.testing.assert_array_equal(norm.beta, state["features.8.bias"])
    np.testing.assert_array_equal(norm.moving_mean, state["features.8.running_mean"])
    np.testing.assert_array_equal(norm.moving_variance, state["features.8.running_var"])
    total = sum(array.sum(dtype=np.float64) for array in state.values())
    loaded = sum(np.sum(weight, dtype=np.float64) for weight in model.weights)
    assert loaded == pytest.approx(total, rel=1e-9)


def refusal(model, source):
    """The message of the refusal; the model is left as it was."""
    before = [np.array(weight) for weight in model.weights]
    with pytest.raises(UserError) as refused:
        torch_weights.load(model, source)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_a_mapping_is_loaded(model, state):
    torch_weights.load(model, state)
    assert_loaded(model, state)


def test_a_state_dict_as_pytorch_gives_it_is_loaded(model, state):
    counter = {"features.3.num_batches_tracked": torch.tensor(7)}
    torch_weights.load(model, {n: torch.from_numpy(array) for n, array in state.items()} | counter)
    assert_loaded(model, state)


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_is_loaded(name, model, state, tmp_path):
    state["features.3.num_batches_tracked"] = np.array(7)
    WRITERS[name](tmp_path / name, state)
    torch_weights.load(model, tmp_path / name)
    del state["features.3.num_batches_tracked"]
    assert_loaded(model, state)


def test_what_numpy_has_opened_is_loaded(model, state, tmp_path):
    WRITERS["prefixed.npz"](tmp_path / "w.npz", state)
    with np.load(tmp_path / "w.npz") as opened:
        torch_weights.load(model, opened)
    assert_loaded(model, state)


def test_a_path_may_be_text(model, state, tmp_path):
    np.savez(tmp_path / "w.npz", **state)
    torch_weights.load(model, str(tmp_path / "w.npz"))
    assert_loaded(model, state)


def test_doubles_are_loaded_as_float32(model, state, tmp_path):
    np.savez(tmp_path / "w.npz", **{name: array.astype("f8") for name, array in state.items()})
    torch_weights.load(model, tmp_path / "w.npz")
    assert_loaded(model, state)


def test_the_scaling_of_the_input_is_not_among_the_weights(state):
    scaling = ((1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0))
    model = models.build("cnn", waveform_shape=(4, 40), scaling=scaling)
    torch_weights.load(model, state)
    assert np.ravel(model.get_layer("standardize").mean).tolist() == list(scaling[0])
    np.testing.assert_array_equal(model.get_layer("features_5").bias, state["features.5.bias"])


@pytest.mark.parametrize("name", ["the mapping", *WRITERS])
def test_everything_that_does_not_fit_is_named_in_one_message(name, model, state, tmp_path):
    del state["features.0.bias"], state["features.8.running_var"]
    state["features.12.weight"] = state["other"] = np.zeros(1, np.float32)
    state["features.10.weight"] = state["features.10.weight"][..., :2].copy()
    state["features.5.weight"] = state["features.5.weight"][0]
    state["features.3.bias"] = np.zeros(5, np.float32)
    source = state
    if name != "the mapping":
        source = tmp_path / name
        WRITERS[name](source, state)
    message = refusal(model, source)
    assert message.startswith(f"{source if isinstance(source, Path) else name} does not fit cnn: ")
    assert set(message.partition("fit cnn: ")[2].split("; ")) == {
        "features.0.bias is missing",
        "features.8.running_var is missing",
        "features.12.weight is not one of the model's",
        "other is not one of the model's",
        "features.10.weight has shape (4, 3, 3, 2), expected (4, 3, 3, 3)",
        "features.5.weight has shape (2, 3, 3), expected (3, 2, 3, 3)",
        "features.3.bias has shape (5,), expected (2,)",
    }


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("mlp", "my_network.1.weight", (16, 160)),
        ("conv_ae", "decoder.4.weight", (6, 6, 3, 3)),
        ("conv_ae", "decoder.6.weight", (6, 4, 3, 3)),
        ("resnet", "block_1.0.weight", (2, 1, 2)),
    ],
)
def test_the_expected_shape_is_pytorch_s_whatever_the_layer(name, key, expected):
    small = {"hidden_units": (16, 12, 8)} if name == "mlp" else {}
    model = models.build(name, waveform_shape=(4, 40), **small)
    message = refusal(model, {key: np.zeros(expected[::-1])})
    if expected != expected[::-1]:
        assert f"{key} has shape {expected[::-1]}, expected {expected}" in message
    assert f"{key} is missing" not in message
    torch_shape = re.escape(f"{key} has shape (1, 1), expected {expected}")
    assert re.search(torch_shape, refusal(model, {key: np.zeros((1, 1))}))


@pytest.mark.parametrize("values", [["a", "b"], [1j, 2j], [b"1", b"2"], [None, None]])
def test_what_is_not_a_number_is_refused(values, model, state):
    state["features.3.bias"] = np.array(values)
    assert "features.3.bias is of type " in refusal(model, state)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_a_damaged_file_is_refused_by_its_name(suffix, damage, model, state, tmp_path):
    path = tmp_path / f"w{suffix}"
    writers = {Path(name).suffix: write for name, write in WRITERS.items()}
    writers[suffix](path, state)
    whole = path.read_bytes()
    damaged = {"cut": whole[: len(whole) // 2], "garbage": bytes(range(256)) * 8, "empty": b""}
    path.write_bytes(damaged[damage])
    assert refusal(model, path).startswith(f"{path}: not a readable {suffix} file (")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_not_there_is_refused(suffix, model, tmp_path):
    path = tmp_path / f"none{suffix}"
    assert refusal(model, path) == f"{path}: there is no such file of weights"
    path.mkdir()
    assert refusal(model, path) == f"{path}: there is no such file of weights"


@pytest.mark.parametrize("name", ["w.h5", "w", "w.NPZ.bak"])
def test_another_kind_of_file_is_refused_by_naming_those_that_are_read(name, model, tmp_path):
    (tmp_path / name).write_bytes(b"weights")
    assert "expected a file of weights in .npz, .safetensors, .pt" in refusal(
        model, tmp_path / name
    )


class RunsOnLoading:
    """Pickled, it makes a folder where it is loaded."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_pt_file_that_holds_other_objects_is_refused_and_not_run(model, tmp_path):
    path, made = tmp_path / "w.pt", tmp_path / "made"
    torch.save({"features.0.weight": RunsOnLoading(made)}, path)
    assert refusal(model, path).startswith(f"{path}: not a readable .pt file (")
    assert not made.exists()
    torch.load(path, weights_only=False)
    assert made.exists(), "the file would have run"


def test_an_npz_file_that_holds_pickled_objects_is_refused_and_not_run(model, state, tmp_path):
    path, made = tmp_path / "w.npz", tmp_path / "made"
    state["features.0.bias"] = np.array([RunsOnLoading(made)], object)
    np.savez(path, **state)
    assert refusal(model, path).startswith(f"{path}: not a readable .npz file (")
    assert not made.exists()


def test_a_pt_file_of_a_whole_checkpoint_is_refused(model, state, tmp_path):
    path = tmp_path / "w.pt"
    tensors = {name: torch.from_numpy(array) for name, array in state.items()}
    torch.save({"epoch": 3, "model": tensors}, path)
    assert refusal(model, path).startswith(f"{path}: ")


def test_a_file_with_the_suffix_of_another_kind_is_refused(model, state, tmp_path):
    np.savez(tmp_path / "w.npz", **state)
    path = shutil.copy(tmp_path / "w.npz", tmp_path / "w.safetensors")
    assert refusal(model, path).startswith(f"{path}: not a readable .safetensors file (")
