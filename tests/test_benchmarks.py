"""The benchmarks run, and what they time computes the same on both sides."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import contenders, machine, report, torch_models, turns
from tfseq import models, torch_weights

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


@pytest.mark.parametrize("name", ["cnn", "resnet", "conv_ae"])
def test_the_sides_compute_the_same(name):
    network = torch_models.MODELS[name]().eval()
    model = models.build(name)
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    torch_weights.load(model, weights)
    waveform, _ = contenders.data(2)
    import torch

    with torch.no_grad():
        expected = network(torch.from_numpy(waveform)).numpy()
    np.testing.assert_allclose(model(waveform, training=False), expected, rtol=0, atol=1e-5)


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
