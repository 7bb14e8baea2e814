"""The benchmarks run, and what they time computes the same on both sides."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import contenders, machine, report, torch_models, turns
from tfseq import configs, models, torch_weights, training_step

ROOT = Path(__file__).parents[1]
# Of each kind one is enough.
WITHOUT = {
    *(contenders.PORTABLE, contenders.AS_THEY_ARE),
    *("PyTorch channels_last", "PyTorch compiled channels_last"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results file of a small run, which says what it does."""
    folder = tmp_path_factory.mktemp("results")
    flags = ["--sections=training,inference", "--models=cnn", "--batch_size=1"]
    flags += ["--turns=1", "--steps=1", "--machine=Small Run", f"--results_dir={folder}"]
    flags += [f"--without={side}" for side in WITHOUT]
    command = [sys.executable, "-m", "benchmarks.run", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for said in ("cnn, tfseq: first step after", "turn 1/1", "training, cnn, batch 1\n"):
        assert said in done.stdout
    return json.loads((folder / "small-run.json").read_text())


def test_every_contender_is_timed_but_those_left_out(results):
    for section, training in (("training", True), ("inference", False)):
        for found in results[section].values():
            assert set(found["times"]) == set(contenders.sides("cnn", training=training)) - WITHOUT
            assert all(each["milliseconds"] > 0 for each in found["times"].values())
    assert set(results["inference"]) == {"cnn, batch 1"}
    assert results["machine"]["cores"] == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("flag", ["sections", "models"])
def test_what_cannot_be_measured_is_refused_before_the_rest_is(flag, tmp_path):
    command = [sys.executable, "-m", "benchmarks.run", f"--{flag}=cnn,trainig"]
    command.append(f"--results_dir={tmp_path}")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    first = {"sections": "cnn", "models": "trainig"}[flag]
    assert done.stderr.startswith(f"error: --{flag}: there is no '{first}'; there are ")
    assert not list(tmp_path.iterdir())


def test_the_results_become_tables(results):
    text = report.tables("small-run", results)
    assert "| `cnn` |" in text
    assert "| cnn, batch 1 |" in text


def test_the_side_of_jax_trains_and_infers_without_tensorflow(python):
    said = python("""
import sys
from benchmarks import accelerator, contenders
described = accelerator.describe()
for side in contenders.sides("cnn", training=False, backend="jax"):
    if side.startswith("tfseq"):
        whats = {contenders.training, contenders.inference, contenders.labelling}
        for what in whats - ({contenders.training} if side == contenders.STRIPS else set()):
            call = what(side, "cnn", 2, "jax")
            call()
            call()
print("tensorflow" in sys.modules, described["backend"], described["float32_gigaflops"] > 0)
""")
    assert said.split() == ["False", "jax", "True"]


def test_a_contender_that_cannot_run_is_named_and_left_out(capsys):
    with pytest.raises(RuntimeError, match="has no attribute 'ride'"):
        turns.compare({"one": ("ride", "tfseq")}, steps=1, turns=1)
    assert turns.compare({"one": ("ride", "tfseq")}, steps=1, turns=1, backend="jax") == {}
    assert "left out: " in capsys.readouterr().out


def load(model, network):
    """Gives a model the weights of a network in PyTorch."""
    if model.name == "seqnet":  # their order is the same, and that of their axes reversed
        weights = network.parameters()
        for weight, variable in zip(weights, model.trainable_variables, strict=True):
            variable.assign(weight.detach().numpy().T.reshape(variable.shape))
    else:
        weights = {key: value.numpy() for key, value in network.state_dict().items()}
        torch_weights.load(model, weights)


@pytest.mark.parametrize("name", ["cnn", "resnet", "conv_ae", "seqnet"])
def test_the_sides_compute_the_same(name):
    network = torch_models.MODELS[name]().eval()
    model = contenders.network(name)
    load(model, network)
    waveform, _ = contenders.data(2)
    with torch.no_grad():
        expected = network(torch.from_numpy(waveform)).numpy()
    np.testing.assert_allclose(model(waveform, training=False), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet", "seqnet"])  # the others draw what they drop
def test_the_sides_train_alike(name, monkeypatch):
    config = configs.get(name)
    config.optimizer.schedule = "constant"  # PyTorch's side has no other
    model = training_step.new_model(config, (4, 4000))
    torch.manual_seed(0)
    network = torch_models.MODELS[name]()
    load(model, network)
    monkeypatch.setattr(training_step, "new_model", lambda *_: model)
    monkeypatch.setitem(torch_models.MODELS, name, lambda: network)
    ours, theirs = (contenders.training(side, name, 2) for side in ("tfseq", "PyTorch"))
    losses = [theirs() for _ in range(4)]
    # Keras's loss is the mean of an epoch's steps.
    means = np.cumsum(losses) / (1, 2, 3, 4)
    np.testing.assert_allclose([ours() for _ in range(4)], means, rtol=1e-4)
    # What a few steps do not show.
    settings = torch_models.optimizer(name, network).defaults
    assert settings["weight_decay"] == config.optimizer.weight_decay


def test_a_ratio_is_that_of_the_turns_against_the_best_rival():
    times = {
        "tfseq": {"milliseconds": 2.0, "turns": [2.0, 2.0, 4.0]},
        "PyTorch": {"milliseconds": 9.0, "turns": [9.0, 9.0, 9.0]},
        "PyTorch compiled": {"milliseconds": 6.0, "turns": [6.0, 5.0, 6.0]},
    }
    assert report.ratio(times, "tfseq") == (2.5, 1.5, 3.0)
    assert report.ratio(times, "tfseq", ("PyTorch",)) == (4.5, 2.25, 4.5)
    assert report.ratio(times, "tfseq", ("PyTorch bfloat16",)) is None


def test_the_floor_counts_bytes_and_products():
    model = models.build("mlp", waveform_shape=(1, 100), hidden_units=(50,), dropout=0)
    peaks = {"copy_gigabytes_per_second": 1.0, "float32_gigaflops": 1.0}
    floor = machine.floor(model, 10, peaks)
    weights = 100 * 50 + 50 + 50 * 100 + 100
    assert floor["gigabytes"] == pytest.approx((16 * 150 * 10 + 20 * weights) / 1e9)
    assert floor["gigaflops"] == pytest.approx(3 * 2 * 10 * (100 * 50 + 50 * 100) / 1e9)
    assert floor["milliseconds"] == pytest.approx(1000 * floor["gigaflops"])


def test_the_floor_has_the_products_of_a_transposed_convolution_at_its_input():
    sizes = {"filters": 8, "blocks": 1, "context": False}
    model = models.build("seqnet", waveform_shape=(1, 160), **sizes)
    peaks = {"copy_gigabytes_per_second": 1.0, "float32_gigaflops": 1.0}
    weights = 32 * 8 + 5 * 8 * 8 + 8 * 8 + 32 * 8  # each used once a frame
    floor = machine.floor(model, 2, peaks)
    assert floor["gigaflops"] == pytest.approx(3 * 2 * 2 * 10 * weights / 1e9)
