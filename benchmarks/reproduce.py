"""Trains every model in every layout, as docs/results.md reports it, and prints the tables.

  python -m benchmarks.reproduce
  python -m benchmarks.reproduce --seeds=1 --only=seqnet
  python -m benchmarks.reproduce --dataset=emg_lower_limb --manual_dir=emg --only=seqnet

Runs that are done are not done again: the tables are made of their evaluation.json.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from absl import flags

from tfseq import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    cli.define_data_flags()
    flags.DEFINE_string("workdir", "runs/reproduce", "Folder of the runs.")
    flags.DEFINE_integer("seeds", 3, "Seeds of each run, from 0.", lower_bound=1)
    flags.DEFINE_list("only", [], "Rows whose names hold one of these [all].")


def main() -> None:
    """Runs the command."""
    dataset = FLAGS.dataset or "simulated_emg"
    rows = [
        (name, settings)
        for name, settings in _rows(dataset).items()
        if not FLAGS.only or any(part in name for part in FLAGS.only)
    ]
    print(
        "| model, layout, settings | mse of each seed | mean | part of the mean label's | minutes |"
    )
    print("| --- | --- | --- | --- | --- |")
    for name, settings in rows:
        results = [_result(dataset, name, settings, seed) for seed in range(FLAGS.seeds)]
        print(_table_row(name, results), flush=True)


def _rows(dataset: str) -> dict[str, tuple[str, ...]]:
    """Returns the flags of each row's runs."""
    rows = {"mlp report's settings": ("--model=mlp",)}
    for model in ("cnn", "resnet", "conv_ae"):
        for layout in ("report", "time"):
            flag = f"--config.model.layout={layout}"
            rows[f"{model} {layout} report's settings"] = (f"--model={model}", flag)
            rows[f"{model} {layout} tuned"] = (f"--config_name={model}_time", flag)
    few = dataset == "emg_lower_limb"
    return rows | {"seqnet": (f"--config_name={'seqnet_few_records' if few else 'seqnet'}",)}


def _result(dataset: str, name: str, settings: tuple[str, ...], seed: int) -> dict:
    """Trains, unless that is done, and returns the evaluation."""
    folder = Path(FLAGS.workdir, dataset, name.replace(" ", "-").replace("'", ""), str(seed))
    path, timed = folder / "evaluation.json", folder / "seconds.txt"
    if not path.is_file():
        places = [f"--workdir={folder}", f"--export_dir={folder / 'exports'}"]
        for flag in ("data_dir", "manual_dir"):
            if FLAGS[flag].value is not None:
                places.append(f"--{flag}={FLAGS[flag].value}")
        flags_given = [f"--dataset={dataset}", *settings, f"--seed={seed}", *places]
        print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "tfseq.train", *flags_given]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=sys.stderr)
        timed.write_text(f"{time.perf_counter() - start:.0f}\n", encoding="utf-8")
    result = json.loads(path.read_text(encoding="utf-8"))
    seconds = float(timed.read_text(encoding="utf-8")) if timed.is_file() else np.nan
    return result | {"seconds": seconds}


def _table_row(name: str, results: list[dict]) -> str:
    errors = np.array([result["metrics"]["mse"] for result in results])
    relative = errors / np.array([result["baselines"]["mean"]["mse"] for result in results])
    each = ", ".join(f"{error:.4f}" for error in errors)
    minutes = np.array([result["seconds"] for result in results]) / 60
    said = f"{np.nanmean(minutes):.1f}" if np.isfinite(minutes).any() else "not timed"
    return f"| {name} | {each} | {errors.mean():.4f} | {relative.mean():.3f} | {said} |"


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
