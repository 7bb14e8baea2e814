"""Runs an open search and keeps the best settings that it finds."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_tuner
from ml_collections import ConfigDict

from tfseq import atomic_file
from tfseq.configs import file
from tfseq.configs.flat import flat
from tfseq.errors import UserError
from tfseq.tuning import distribution, kinds, results, space, tuners
from tfseq.tuning.hypermodel import TrialModel
from tfseq.tuning.plans import Plan
from tfseq.tuning.records import Data
from tfseq.tuning.study import BEST, measure


def run(
    config: ConfigDict,
    workdir: Path,
    *,
    kind: str,
    max_trials: int,
    data_dir: str | Path | None = None,
    manual_dir: str | Path | None = None,
    keep_checkpoints: bool = False,
) -> Path:
    """Searches around some settings, and returns the file of the best.

    Args:
        config: The settings to begin with.
        workdir: Gets results.jsonl, logs/ and best_config.json.
        kind: One of `kinds.OPEN`.
        max_trials: Trials at most; "hyperband" has its own number.
        data_dir: Where built data sets are kept.
        manual_dir: The folder of the raw files, for the data sets that are made from some.
        keep_checkpoints: Keep the model of each trial's best epoch.

    Raises:
        UserError: If the settings do not fit the data, the workdir holds another search, or no
            whole trial has a finite loss.
    """
    results.claim(workdir, flat(config, "--config."))
    data = Data.of(config, workdir, data_dir=data_dir, manual_dir=manual_dir)
    declared = space.declare(config)
    model = trial_model(config, workdir, data, keep_checkpoints=keep_checkpoints)
    worst = tuners.worst_score(data)
    oracles = [tuners.new_oracle(kind, declared, max_trials=max_trials, epochs=config.epochs)]
    if not distribution.is_distributed():
        # The first of a grid are the defaults: what is found is no worse than those.
        oracles.insert(0, tuners.new_oracle(kinds.GRID, declared, max_trials=1))
    for oracle in oracles:
        tuners.search(oracle, model, score, worst, report)
    return _write_best(config, workdir)


def trial_model(
    config: ConfigDict, workdir: Path, data: Data, *, keep_checkpoints: bool = False
) -> TrialModel:
    """Returns what trains the trials of a search around some settings.

    Args:
        config: The settings.
        workdir: Gets results.jsonl and logs/.
        data: The records.
        keep_checkpoints: Keep the model of each trial's best epoch.
    """
    defaults = space.declare(config).values

    def plan_of(hp: keras_tuner.HyperParameters) -> Plan:
        return _plan(config, workdir, hp.values, may_fail=hp.values != defaults)

    return TrialModel(plan_of, data, keep_checkpoints=keep_checkpoints)


def score(row: Mapping[str, Any]) -> float:
    """Returns what a search makes smaller, by a trial's row."""
    return measure(row, BEST)


def _plan(config: ConfigDict, workdir: Path, values: Mapping[str, Any], *, may_fail: bool) -> Plan:
    chosen = {name: value for name, value in values.items() if not name.startswith("tuner/")}
    changed = space.apply(chosen, config)
    changed.epochs = min(config.epochs, values.get("tuner/epochs", config.epochs))
    key = {"epochs": changed.epochs, "values": chosen}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:8]
    return Plan(
        folder=workdir,
        key=key,
        title=f"trial-{digest}",
        config=changed,
        facts={"complete": changed.epochs == config.epochs, "model": config.model.name},
        may_fail=may_fail,
    )


def report(plan: Plan, row: dict[str, Any]) -> None:
    """Prints a line of a trial."""
    outcome = f"diverged: {row['diverged']}"
    if not row["diverged"]:
        outcome = f"{BEST} {measure(row, BEST):.4g}"
    values = ", ".join(
        f"{name.rpartition('.')[2]} {f'{value:.3g}' if isinstance(value, float) else value}"
        for name, value in row["values"].items()
    )
    number = len(results.read(plan.folder))
    print(
        f"[{number}] {outcome} after {row['epochs']} epochs ({row['seconds']:.1f} s): {values}",
        flush=True,
    )


def whole_trials(workdir: Path) -> list[dict[str, Any]]:
    """Returns the rows of the trials that trained to the end, of which there is at least one.

    Raises:
        UserError: If there is none.
    """
    whole = [row for row in results.read(workdir) if row["complete"] and not row["diverged"]]
    if not whole:
        raise UserError(f"{workdir}: no trial of all epochs has a finite loss")
    return whole


def _write_best(config: ConfigDict, workdir: Path) -> Path:
    """Writes the settings with the lowest validation loss after a whole trial."""
    whole = whole_trials(workdir)
    best = min(whole, key=score)
    path = workdir / "best_config.json"
    settings = file.to_json(space.apply(best["values"], config))
    # Several workers may end at the same time.
    atomic_file.write(path, json.dumps(settings, indent=2) + "\n", shared=True)
    print(f"\nThe first settings: {BEST} {measure(whole[0], BEST):.4g}")
    print(f"The best settings:  {BEST} {measure(best, BEST):.4g}")
    for name, value in best["values"].items():
        print(f"  {name}: {value}")
    print(f"Train with them: python -m tfseq.train --config_file={path}")
    return path
