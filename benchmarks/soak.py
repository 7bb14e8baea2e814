r"""Trains for a long time and watches the process: memory, threads and open files.

  python -m benchmarks.soak
  python -m benchmarks.soak --steps=2000 --out=soak

A small record set, so that steps, epochs, checkpoints, validations and logs come quickly: 10 steps
an epoch, a checkpoint after every epoch and every 4 steps. Writes soak.csv and soak.png.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from absl import app, flags

_STEPS_PER_EPOCH, _BATCH_SIZE = 10, 32
_COLUMNS = ("seconds", "steps", "memory_mb", "threads", "open_files")
_WARM_UP = 0.2  # of the steps: TensorFlow compiles and its pools fill

FLAGS = flags.FLAGS


def main(_: list[str]) -> None:
    """Runs the command."""
    out = Path(FLAGS.out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for row in _watched(Path(folder), FLAGS.steps) if row["steps"]]
    with (out / "soak.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    _draw(rows, out / "soak.png")
    warm = [row for row in rows if row["steps"] >= _WARM_UP * FLAGS.steps]
    print(f"{rows[-1]['steps']} steps in {rows[-1]['seconds']:.0f} s; after the first fifth:")
    for column in _COLUMNS[2:]:
        begin, end = (_mean(part, column) for part in (warm[: len(warm) // 5], warm[-5:]))
        print(f"  {column}: {begin:.1f}, at the end {end:.1f}: {100 * (end / begin - 1):+.1f} %")


def _mean(rows: list[dict[str, float]], column: str) -> float:
    return float(np.mean([row[column] for row in rows]))


def _watched(folder: Path, steps: int) -> Iterator[dict[str, float]]:
    """Trains in a process of its own, and yields what it holds every half a second."""
    _write_records(folder / "raw")
    command = [
        *(sys.executable, "-m", "tfseq.train", "--model=cnn", "--dataset=record_sets"),
        *("--manual_dir=raw", "--data_dir=data", "--workdir=run", "--export_dir=exports"),
        *("--config.dataset.channels=4", "--config.dataset.steps=80"),
        f"--config.data.train_split=train[:{_STEPS_PER_EPOCH * _BATCH_SIZE}]",
        *(f"--batch_size={_BATCH_SIZE}", f"--epochs={steps // _STEPS_PER_EPOCH}"),
        *("--config.checkpoint.every_steps=4", "--config.augmentation.noise=0.1"),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
    start, watched = time.monotonic(), psutil.Process(process.pid)
    history = folder / "run" / "logs" / "history.csv"
    done = 0
    while process.poll() is None and done < steps:
        if history.is_file():
            done = _STEPS_PER_EPOCH * max(0, len(history.read_bytes().splitlines()) - 1)
        yield {
            "seconds": round(time.monotonic() - start, 1),
            "steps": done,
            "memory_mb": round(watched.memory_info().rss / 1e6, 1),
            "threads": watched.num_threads(),
            "open_files": watched.num_fds(),
        }
        time.sleep(0.5)
    if process.wait():
        raise SystemExit((folder / "said").read_text())


def _write_records(folder: Path) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    labels = random.uniform(0, 4, (600, 80)).astype(np.float32)
    waveforms = labels[:, np.newaxis] + random.normal(size=(600, 4, 80)).astype(np.float32)
    np.savez(folder / "set1.npz", x=waveforms, y=labels)


def _draw(rows: list[dict[str, float]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
    titles = ("resident memory (MB)", "threads", "open files")
    for axis, column, title in zip(axes, _COLUMNS[2:], titles, strict=True):
        axis.plot([row["steps"] for row in rows], [row[column] for row in rows])
        axis.set(title=title, xlabel="training steps")
        axis.set_ylim(0, 1.2 * max(row[column] for row in rows))
    figure.savefig(path, dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    flags.DEFINE_integer("steps", 10_000, "Training steps.", lower_bound=100)
    flags.DEFINE_string("out", "docs/figures/soak", "Folder of soak.csv and soak.png.")
    app.run(main)
