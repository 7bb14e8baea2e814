"""Starts tfseq's commands in other processes, as a user does, and reads what they say."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import prepared

RECORDS = (
    "--config.dataset.train_records=50",
    "--config.dataset.validation_records=20",
    "--config.dataset.test_records=20",
)
"""What the session's data set (`builder` in conftest.py) was built with."""

MODELS = {
    "mlp": ("--config.model.hidden_units=32,16,8",),
    "cnn": ("--config.data.train_split=train[:40]",),
    "conv_ae": (),
    "resnet": (),
    "seqnet": ("--config.model.filters=16", "--config.model.blocks=2"),
}
"""The flags with which each model is small enough for a test."""

REPORT = ("cnn", "conv_ae", "mlp", "resnet")
"""The models that the report has, and PyTorch's golden vectors."""

_LIMIT_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class Finished:
    """What a command left."""

    code: int
    stdout: str
    stderr: str

    def check(self):
        """Returns itself; fails if the command failed."""
        assert self.code == 0, self.stdout + self.stderr
        return self

    def refusal(self):
        """Returns the one line with which the command refused; fails if it did anything else."""
        assert self.code == 1, self.stdout + self.stderr
        assert re.fullmatch(r"error: \S[^\n]*\n", self.stderr), self.stderr
        return self.stderr


@dataclasses.dataclass(frozen=True)
class Trained:
    """A finished run of the training command."""

    model: str
    finished: Finished
    workdir: Path
    export_dir: Path


def environment(**changes):
    """Returns the environment of another process: what a user has, not what the tests set."""
    # Commands that run side by side cannot share a GPU: TensorFlow takes all of its memory.
    inherited = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    for name in ("TF_CPP_MIN_LOG_LEVEL", "PYTEST_CURRENT_TEST"):
        inherited.pop(name, None)
    return inherited | changes


def start(module, *arguments, cwd, options=(), prefix=(), **changes):
    """Starts `python -m tfseq.<module>` in the folder `cwd`, behind another command if need be.

    A command that has nothing but arguments does not import TensorFlow anew (prepared.py).
    """
    if not (options or prefix or changes):
        return prepared.start(module, [*map(str, arguments)], cwd, environment())
    return subprocess.Popen(
        [*prefix, sys.executable, *options, "-m", f"tfseq.{module}", *map(str, arguments)],
        cwd=cwd,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, limit=_LIMIT_SECONDS):
    """Waits for a command that `start` started, so many seconds at most."""
    try:
        stdout, stderr = process.communicate(timeout=limit)
    finally:
        process.kill()
    return Finished(process.returncode, stdout, stderr)


def run(module, *arguments, cwd, **changes):
    """Runs `python -m tfseq.<module>` in the folder `cwd`."""
    return finish(start(module, *arguments, cwd=cwd, **changes))


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def tables(stdout):
    """Returns the numbers of the printed results: by split, then by row, mse, mae and r2."""
    found, rows = {}, None
    for line in stdout.splitlines():
        if title := re.fullmatch(r"\w+, (\S+) \(\d+ records\) +mse +mae +r2", line):
            rows = found.setdefault(title[1], {})
        elif row := re.fullmatch(r"  (\S.*?) +(-?[\d.]+) +(-?[\d.]+) +(-?[\d.]+)", line):
            rows[row[1]] = tuple(map(float, row.groups()[1:]))
    return found


def training_state(path):
    """Returns what a checkpoint holds besides the Keras model."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("training_state.json"))
