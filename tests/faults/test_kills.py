"""SIGKILL at any moment of a run, again and again: it ends as one that was left alone.

TFSEQ_KILLS sets how many kills each model gets, TFSEQ_SEED at which moments.
"""

import collections
import os
import random
import signal
import time

import command
import pytest
from same_end import assert_same_end

KILLS = int(os.environ.get("TFSEQ_KILLS", "20"))
SEED = int(os.environ.get("TFSEQ_SEED", "0"))
EPOCHS = 4
AUGMENTED = (
    "--config.augmentation.gain=0.2",
    "--config.augmentation.noise=0.1",
    "--config.augmentation.drop_channel=0.1",
    "--config.augmentation.shift=50",
)
# Dropout in all that have some. Compiled and not; from memory and from disk.
SETTINGS = {
    "cnn": ("--config.lowering=always", "--config.optimizer.name=adam"),
    "conv_ae": ("--config.optimizer.clip_norm=1", "--config.transform.standardize=true"),
    "resnet": ("--config.data.cache=never",),
    "mlp": ("--config.optimizer.schedule=cosine", "--config.optimizer.average=0.9"),
    "seqnet": ("--config.model.dropout=0.2", "--config.interval.coverage=0.8"),
}


def train(model, cwd, data_dir):
    return command.start(
        "train",
        f"--model={model}",
        *(*command.RECORDS, *command.MODELS[model], *SETTINGS[model], *AUGMENTED),
        *("--batch_size=4", f"--epochs={EPOCHS}", "--config.checkpoint.every_steps=2"),
        *(f"--data_dir={data_dir}", "--workdir=run", "--export_dir=exports"),
        cwd=cwd,
    )


def half_exported(cwd):
    return set(cwd.glob("exports/*/.incomplete-*"))


def moment(cwd, process, said, left_before):
    """Returns what a killed process was about, from what it has said and left.

    What an earlier one left half-exported stays until the next export.
    """
    if list((cwd / "run").glob(f"checkpoints/.{process.pid}*keras")):
        return "writing a checkpoint"
    if half_exported(cwd) - left_before:
        return "exporting"
    if f"epoch {EPOCHS}/" in said or (f"{EPOCHS} epochs are done" in said):
        return "after training"
    return "training" if "trainable parameters" in said else "starting"


def run_with_kills(model, cwd, data_dir, moments, most):
    """Starts a run until it ends; kills it at most so many times. Returns where it was killed."""
    found = []
    while True:
        left_before = half_exported(cwd)
        process = train(model, cwd, data_dir)
        if len(found) < most:
            end = time.monotonic() + next(moments)
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.002)
            process.kill()
        finished = command.finish(process)
        if finished.code != -signal.SIGKILL:
            finished.check()
            return found
        found.append(moment(cwd, process, finished.stdout, left_before))


@pytest.mark.parametrize("model", SETTINGS)
def test_a_run_that_is_killed_at_any_moment_ends_as_one_that_was_not(
    model, builder, data_dir, tmp_path, counted
):
    whole = tmp_path / "whole"
    whole.mkdir()
    start = time.monotonic()
    command.finish(train(model, whole, data_dir)).check()
    took = time.monotonic() - start
    generator = random.Random(f"{model} {SEED}")
    moments = iter(lambda: generator.uniform(0, 1.05 * took), None)
    killed, ends = collections.Counter(), 0
    while killed.total() < KILLS:
        cwd = tmp_path / f"run{ends}"
        cwd.mkdir()
        killed.update(run_with_kills(model, cwd, data_dir, moments, KILLS - killed.total()))
        assert_same_end(cwd, whole)
        leftovers = [path.name for path in (cwd / "run" / "checkpoints").glob(".*")]
        assert leftovers == []
        assert not list(cwd.glob("exports/*/.*"))
        ends += 1
    spread = ", ".join(f"{count} {name}" for name, count in sorted(killed.items()))
    counted(f"{model}: {killed.total()} kills in {ends} runs, all as unkilled: {spread}")
