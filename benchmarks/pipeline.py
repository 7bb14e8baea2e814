"""Measures what is around the steps: reading, epochs, the time until the first step, memory."""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.turns import Contender

_BATCH_SIZE = 128
_SECONDS = 4.0  # that reading is timed for
_RECORDS = 10_000  # of an epoch: enough to see what each costs beside what the epoch's end does


def reading(data_dir: str | None) -> dict[str, float]:
    """Returns records a second: tfseq's from disk and memory, TFDS's and PyTorch's DataLoader.

    TFDS reads the same files, as its users write it. The DataLoader reads the same records from
    .npy files in memory maps, shuffled.
    """
    from tfseq import datasets
    from tfseq.example_gen import Split, evaluation_batches, training_batches

    split = Split(datasets.load("simulated_emg", data_dir=data_dir), "train")
    by_tfds = split.builder.as_dataset(split=split.name, as_supervised=True, shuffle_files=True)
    shuffled = by_tfds.repeat().shuffle(1000).batch(_BATCH_SIZE).prefetch(2)
    rates = {"TFDS, from disk": _rate(shuffled)}
    for name, cache in (("tfseq, from disk", "never"), ("tfseq, from memory", "always")):
        rates[name] = _rate(training_batches(split, _BATCH_SIZE, seed=0, cache=cache))
    waveforms, labels = (
        np.concatenate(arrays)
        for arrays in zip(*evaluation_batches(split, 500).as_numpy_iterator(), strict=True)
    )
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/waveforms.npy", waveforms)
        np.save(f"{folder}/labels.npy", labels)
        for workers in (0, 2):
            name = f"PyTorch DataLoader, {workers} workers"
            rates[name] = _rate(_loader(folder, workers))
    return rates


def _rate(batches: Any) -> float:
    """Records a second, after a first epoch's worth that fills the page cache."""
    records, start, warm = 0, time.perf_counter(), False
    while True:
        for waveform, _ in batches:
            records += len(waveform)
            now = time.perf_counter()
            if not warm and (now - start > 1 or records > 2000):
                records, start, warm = 0, now, True
            elif warm and now - start > _SECONDS:
                return records / (now - start)


def _loader(folder: str, workers: int) -> Any:
    import torch

    waveforms = np.load(f"{folder}/waveforms.npy", mmap_mode="c")
    labels = np.load(f"{folder}/labels.npy", mmap_mode="c")
    data = torch.utils.data.TensorDataset(torch.from_numpy(waveforms), torch.from_numpy(labels))
    return torch.utils.data.DataLoader(data, _BATCH_SIZE, shuffle=True, num_workers=workers)


def epochs(model: str, data_dir: str | None, turns: int) -> dict[str, Any]:
    """Returns the seconds of each epoch of `python -m tfseq.train`.

    An epoch is 10,000 records of training, 128 of validation, logs and a checkpoint. Bare steps are
    timed by turns with runs of four epochs, with the records in memory and with records that are
    read and verified in each epoch. Epochs are from line to line of what is printed; the first
    begins with the line before more than the records' checksums is read, or anything traced.

    Returns:
        `records` of an epoch, its `bare_seconds` by turn, and by turn the `seconds` of its epochs
        and the `seconds_from_disk` of those of the other run.
    """
    sizes = {"train_records": _RECORDS, "validation_records": _BATCH_SIZE, "test_records": 8}
    flags = [f"--config.dataset.{key}={value}" for key, value in sizes.items()]
    steps = Contender("training", "tfseq", model, _BATCH_SIZE)
    by_turn = ("bare_seconds", "seconds", "seconds_from_disk")
    found: dict[str, Any] = {"records": _RECORDS, **{name: [] for name in by_turn}}
    try:
        steps.wait()
        for _ in range(turns):
            # Their sum, as an epoch is one: of a median nothing would show that holds some up.
            bare = statistics.mean(steps.run(_RECORDS // _BATCH_SIZE)) / 1000
            bare *= _RECORDS / _BATCH_SIZE
            held = _train(model, data_dir, "--epochs=4", *flags)
            read = _train(model, data_dir, "--epochs=4", "--config.data.cache=never", *flags)
            turn = (bare, held.epochs(), read.epochs())
            for name, value in zip(by_turn, turn, strict=True):
                print(f"  {model}: {name} {value}", flush=True)
                found[name].append(value)
    finally:
        steps.stop()
    return found


def first_step(data_dir: str | None) -> float:
    """Returns the seconds from the command to the end of its first step.

    It is an epoch of one step and its validation, imports and reading included.
    """
    from tfseq import datasets

    datasets.load("simulated_emg", data_dir=data_dir)  # the first run would build it
    flags = ("--config.data.train_split=train[:128]", "--config.data.validation_split=train[:8]")
    run = _train("cnn", data_dir, "--epochs=1", "--config.lowering=always", *flags)
    return run.epoch_ends[0]


def memory(model: str, data_dir: str | None) -> float:
    """Returns the most GB that a run of two epochs holds, checkpoints and export included."""
    flags = ("--config.data.train_split=train[:1280]", "--config.data.validation_split=train[:128]")
    return _train(model, data_dir, "--epochs=2", "--batch_size=128", *flags).peak_gigabytes


class _Run(NamedTuple):
    begin: float  # of reading and training, in seconds from the command on
    epoch_ends: list[float]
    peak_gigabytes: float

    def epochs(self) -> list[float]:
        """Returns the seconds of each."""
        lines = (self.begin, *self.epoch_ends)
        return [round(b - a, 3) for a, b in itertools.pairwise(lines)]


def _train(model: str, data_dir: str | None, *flags: str) -> _Run:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tfseq.train", f"--model={model}", *flags]
        command += [f"--workdir={folder}/run", f"--export_dir={folder}/exports"]
        command += [f"--data_dir={Path(data_dir).absolute()}"] if data_dir else []
        start, begin, ends = time.perf_counter(), 0.0, []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if line.startswith(f"{model}: "):
                    begin = time.perf_counter() - start
                elif line.startswith("epoch "):
                    ends.append(time.perf_counter() - start)
            # Its peak, or this process's if that is higher: `exec` hands it on.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed")
        return _Run(begin, ends, usage.ru_maxrss * 1024 / 1e9)
