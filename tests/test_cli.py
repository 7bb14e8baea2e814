"""The command lines explain themselves at once and keep TensorFlow's chatter to themselves."""

import os
import subprocess
import sys
import time
from pathlib import Path

import command
import pytest

import tfseq

COMMANDS = ("train", "evaluate", "predict", "client", "formats", "infra_validator", "pipeline")
WITHOUT_DATA_SET = ("predict", "client", "formats", "infra_validator")


@pytest.mark.parametrize("module", COMMANDS)
def test_help_shows_examples_and_flags_without_importing_tensorflow(module, tmp_path):
    start = time.perf_counter()
    done = command.run(module, "--help", cwd=tmp_path, options=("-X", "importtime"))
    seconds = time.perf_counter() - start
    assert done.code == 0
    assert f"python -m tfseq.{module} --" in done.stdout
    assert "\nFlags:\n" in done.stdout
    assert "--dataset" in done.stdout or module in WITHOUT_DATA_SET
    assert "absl.flags" in done.stderr
    assert "tensorflow" not in done.stderr.replace("tensorflow_metadata", "")
    # About 0.2 s; a machine under load is given time, but not that of TensorFlow's import.
    assert seconds < 3


def test_a_reader_that_has_read_enough_ends_the_command_quietly(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "tfseq.train", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(tfseq.__file__).parents[1])},
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_help_of_training_shows_the_settings_of_the_model_that_is_named(tmp_path):
    done = command.run("train", "--model=mlp", "--help", cwd=tmp_path).check()
    assert "--config.model.hidden_units=(8000, 6000, 4000)" in done.stdout
    assert "--config.optimizer.name=rmsprop" in done.stdout
    assert "--config.model.filters" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_tensorflow_s_messages_are_shown_when_asked_for(builder, data_dir, tmp_path):
    arguments = (
        f"--data_dir={data_dir}",
        *command.RECORDS,
        "--config.data.train_split=nosuch",
    )
    quiet = command.run("train", *arguments, cwd=tmp_path)
    assert "nosuch" in quiet.refusal()
    loud = command.run("train", *arguments, cwd=tmp_path, TF_CPP_MIN_LOG_LEVEL="0")
    assert loud.code == 1
    assert loud.stderr.splitlines()[-1] == quiet.stderr.strip()
    assert len(loud.stderr.splitlines()) > 1
