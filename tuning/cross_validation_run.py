"""Runs a cross-validation: trains without each fold in turn, and measures on it."""

import collections
from pathlib import Path
from typing import Any

import keras_tuner
from ml_collections import ConfigDict

from tfseq import configs, evaluator
from tfseq.configs.flat import flat
from tfseq.errors import UserError
from tfseq.tuning import (
    costs,
    cross_validation,
    distribution,
    folds,
    kinds,
    plans,
    results,
    tuners,
)
from tfseq.tuning.hypermodel import TrialModel
from tfseq.tuning.plans import Plan
from tfseq.tuning.records import Data
from tfseq.tuning.study import FINAL, measure


def run(
    config: ConfigDict,
    workdir: Path,
    *,
    number: int,
    fold_seed: int = 0,
    seeds: int = 1,
    data_dir: str | Path | None = None,
    manual_dir: str | Path | None = None,
) -> None:
    """Trains without and measures on each fold, where that has not been done, and says the errors.

    Args:
        config: The settings; its seed is the first.
        workdir: Gets results.jsonl, logs/ and cross_validation.json.
        number: How many folds.
        fold_seed: Divides groups into folds, see `folds.divide`.
        seeds: With how many seeds each fold is trained.
        data_dir: Where built data sets are kept.
        manual_dir: The folder of the raw files, for the data sets that are made from some.

    Raises:
        UserError: If groups cannot be divided so, the settings do not fit the data or the machine,
            the workdir holds another cross-validation, or a training diverged.
    """
    data = Data.of(config, workdir, data_dir=data_dir, manual_dir=manual_dir)
    sizes = collections.Counter(data.joined.groups.tolist())
    divided = folds.divide(sizes, number, fold_seed)
    asked = {"--folds": number, "--fold_seed": fold_seed, **flat(config, "--config.")}
    results.claim(workdir, {**asked, "records": sizes.total(), "groups": len(sizes)})
    planned = [
        _plan(config, workdir, fold, groups, seed)
        for seed in range(config.seed, config.seed + seeds)
        for fold, groups in enumerate(divided, start=1)
    ]
    _announce(config, sizes, planned)
    _train(planned, number, data)
    if distribution.is_distributed() and not distribution.is_chief():
        # Others may still be at work; the chief waits for them.
        return
    summary = _summarize(config, workdir, planned)
    path = workdir / "cross_validation.json"
    evaluator.write(summary, path)
    print(f"\n{cross_validation.table(summary)}\n\n{path}")


def _plan(config: ConfigDict, workdir: Path, fold: int, groups: list[str], seed: int) -> Plan:
    changed = config.copy_and_resolve_references()
    changed.seed = seed
    configs.check(changed)
    return Plan(
        folder=workdir,
        key={"fold": fold, "seed": seed, "groups": groups},
        title=f"fold-{fold}-seed-{seed}",
        config=changed,
        facts={
            "dataset": config.dataset.name,
            "model": config.model.name,
            "epochs": config.epochs,
        },
        held_out=groups,
        may_fail=False,
    )


def _announce(config: ConfigDict, sizes: collections.Counter, planned: list[Plan]) -> None:
    print(
        f"{config.model.name} on {config.dataset.name}: {sizes.total()} records of {len(sizes)} "
        f"groups; {len(planned)} trainings of {config.epochs} epochs, "
        f"{len(planned) - len(plans.missing(planned))} of which are done.",
        flush=True,
    )
    if len(sizes) == sizes.total():
        print("Every record is a group of its own: it is records that are held out.", flush=True)


def _train(planned: list[Plan], number: int, data: Data) -> None:
    by_place = {(plan.key["fold"], plan.key["seed"]): plan for plan in planned}
    space = keras_tuner.HyperParameters()
    space.Choice("seed", sorted({seed for _, seed in by_place}))
    space.Choice("fold", list(range(1, number + 1)))
    model = TrialModel(lambda hp: by_place[hp.get("fold"), hp.get("seed")], data)
    say = costs.progress(planned)

    def report(plan: Plan, row: dict[str, Any]) -> None:
        outcome = f"diverged: {row['diverged']}"
        if not row["diverged"]:
            found = cross_validation.summarize([row])
            outcome = f"mse {found['mse']:.4f} on {found['records']} records"
        say(f"fold {row['fold']} of {number}, seed {row['seed']}: {outcome}", row["seconds"])

    oracle = tuners.new_oracle(kinds.GRID, space, max_trials=len(planned))
    tuners.search(oracle, model, lambda row: measure(row, FINAL), tuners.worst_score(data), report)


def _summarize(config: ConfigDict, workdir: Path, planned: list[Plan]) -> dict[str, Any]:
    rows = [plan.recorded() for plan in planned]
    for row in rows:
        if row["diverged"]:
            raise UserError(
                f"{workdir}: fold {row['fold']}, seed {row['seed']}: {row['diverged']}; without "
                "it there is no error over all groups"
            )
    return {
        "model": config.model.name,
        "dataset": config.dataset.name,
        "epochs": config.epochs,
        "seeds": sorted({row["seed"] for row in rows}),
        **cross_validation.summarize(rows),
    }
