"""tfseq's own kernels: where they are built and where they cannot be, and what they train."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import configs, native, training_step
from tfseq.models.lowering import Lowered
from tfseq.native import library
from tfseq.native.training import NativelyTrained

# What is not remembered.
build_and_load = library.kernels.__wrapped__


def test_processes_that_start_together_build_one_library(tmp_path):
    command = [sys.executable, "-c", "from tfseq import native; print(native.available())"]
    quick = tmp_path / "c++"  # unoptimized: it takes a third as long
    quick.write_text('#!/bin/bash\nexec c++ "${@/-O3/-O0}"\n')
    quick.chmod(0o755)
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "CXX": str(quick)}
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0] for process in processes] == ["True\n"] * 2
    (library,) = (tmp_path / "cache" / "tfseq").iterdir()
    assert library.name.startswith("native-")


# Of a processor with wider vectors too: the compiler makes two instructions of one.
@pytest.mark.parametrize("flags", [[], ["-D__AVX512F__"]], ids=["its vectors", "of 16 lanes"])
@pytest.mark.parametrize("name", ["kernels.cc", "frames.cc"])
def test_no_size_has_a_kernel_read_or_write_elsewhere(name, flags, tmp_path):
    sources = Path(native.__file__).parent
    include = ["-I", str(sources)]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sanitizers.append("-D_GLIBCXX_SANITIZE_VECTOR")  # what lies behind the size of a vector
    program, source = tmp_path / "kernels", Path(__file__).with_name(name)
    build = ["c++", "-std=gnu++17", "-Og", "-w", *flags, *sanitizers, *include, str(source)]
    subprocess.run([*build, "-o", str(program), "-pthread"], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


BROKEN_COMPILER = """#!/bin/sh
case "$*" in *-E*) exec c++ "$@";; esac
echo "kernels.cc: something is wrong" >&2
exit 1
"""


@pytest.mark.parametrize(
    "what", ["no compiler", "a broken compiler", "no command", "no folder to write to"]
)
def test_where_nothing_can_be_built_it_says_why(what, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    expected = "something is wrong"
    if what == "no compiler":
        monkeypatch.setenv("CXX", str(tmp_path / "c++"))
        expected = "no C++ compiler"
    elif what == "a broken compiler":
        compiler = tmp_path / "c++"
        compiler.write_text(BROKEN_COMPILER)
        compiler.chmod(0o755)
        monkeypatch.setenv("CXX", str(compiler))
    elif what == "no command":
        monkeypatch.setenv("CXX", '"c++')
        expected = "No closing quotation"
    else:
        (tmp_path / "cache").write_text("a file")
        expected = "cache"
    with caplog.at_level("INFO"):
        assert build_and_load() is None
    assert expected in caplog.text
    assert not list(tmp_path.glob("cache/tfseq/*"))


def trained(lowering, batch_sizes, records):
    """Returns what trains, and the losses of two epochs of batches of these sizes, by name."""
    keras.utils.set_random_seed(3)
    config = configs.get("cnn")
    config.update({"lowering": lowering, "batch_size": batch_sizes[0]})
    config.model.dropout = (0.0, 0.0)
    with tf.device("CPU:0"):
        model = training_step.new_model(config, (4, 400))
        strategy = training_step.OneProcessorStrategy("/CPU:0")
        fitted = training_step.to_fit(model, config, records, strategy)
        random = np.random.default_rng(5)
        waveform = random.normal(size=(sum(batch_sizes), 4, 400)).astype(np.float32)
        label = random.normal(size=(sum(batch_sizes), 400)).astype(np.float32)
        starts = np.cumsum([0, *batch_sizes])

        def batches():
            for start, stop in itertools.pairwise(starts):
                yield waveform[start:stop], label[start:stop]

        shapes = (tf.TensorSpec((None, 4, 400)), tf.TensorSpec((None, 400)))
        data = tf.data.Dataset.from_generator(batches, output_signature=shapes)
        data = data.apply(tf.data.experimental.assert_cardinality(len(batch_sizes)))
        history = fitted.fit(data, validation_data=data, epochs=2, verbose=0).history
        return fitted, [history[name] for name in ("loss", "mae", "val_loss")]


# Full batches and the last one; and one that is smaller than it should be.
@pytest.mark.parametrize("batch_sizes", [(8, 8, 5), (8, 7, 5)])
@pytest.mark.skipif(bool(tf.config.list_logical_devices("GPU")), reason="for a processor alone")
def test_batches_of_any_size_are_trained_as_without_them(batch_sizes):
    fitted, losses = trained("auto", batch_sizes, records=21)  # few are enough
    assert type(fitted) is NativelyTrained
    portable, wanted = trained("portable", batch_sizes, records=21)
    assert type(portable) is Lowered
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)


@pytest.mark.skipif(bool(tf.config.list_logical_devices("GPU")), reason="for a processor alone")
def test_weights_that_are_put_in_their_place_are_those_that_are_measured():
    model, _ = trained("always", (8, 5), records=13)
    random = np.random.default_rng(1)
    x, y = random.normal(size=(9, 4, 400)).astype(np.float32), np.ones((9, 400), np.float32)

    def put(logs):
        model.plain.set_weights([np.full(weight.shape, 0.5) for weight in model.plain.weights])

    def measured(**settings):
        return model.evaluate(x, y, batch_size=4, verbose=0, **settings)[0]

    before = measured()
    after = measured(callbacks=[keras.callbacks.LambdaCallback(on_test_begin=put)])
    expected = np.square(model.plain(x, training=False).numpy() - y).mean()
    assert abs(after - before) > 0.01
    assert after == pytest.approx(expected, rel=1e-5)
    assert model.test_on_batch(x, y)[0] == pytest.approx(expected, rel=1e-5)
