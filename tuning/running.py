"""Runs studies: lets Keras Tuner go through their trials, and says how far it is."""

from collections.abc import Callable, Sequence
from typing import Any

import keras_tuner

from tfseq.errors import UserError
from tfseq.tuning import costs, distribution, kinds, plans, results, tuners
from tfseq.tuning.hypermodel import TrialModel
from tfseq.tuning.options import Options
from tfseq.tuning.plans import Plan
from tfseq.tuning.records import Data
from tfseq.tuning.study import Study, measure


def run(
    studies: Sequence[Study],
    given: Options,
    *,
    tuner: str = kinds.GRID,
    max_trials: int | None = None,
) -> None:
    """Runs the trials of studies that have not been run.

    Args:
        studies: Which.
        given: How.
        tuner: One of `kinds.KINDS`.
        max_trials: Trials of a search at most, those that have been run included.

    Raises:
        UserError: If a setting or the data is not as expected, or a folder holds results that were
            computed with other settings.
    """
    if tuner != kinds.GRID and distribution.is_distributed() and len(studies) > 1:
        raise UserError(f"--tuner={tuner}: a distributed search takes one --study at a time")
    planned = {study.name: plans.of(study, given) for study in studies}
    for study in studies:
        results.claim(given.folder(study), given.shared())
    waiting = [study for study in studies if plans.missing(planned[study.name])]
    for study in studies:
        if study not in waiting:
            print(f"{study.name}: all {len(planned[study.name])} trials have been run.")
    if waiting:
        folders = {"data_dir": given.data_dir, "manual_dir": given.manual_dir}
        config = planned[waiting[0].name][0].config
        data = Data.of(config, given.workdir, **folders)
        if distribution.is_chief():
            print("The chief hands out trials and ends when its workers have run them.", flush=True)
        else:
            data.check(max(arm.held_out or 0 for study in waiting for arm in study.arms))
        worst = tuners.worst_score(data)
        # The grid knows all trials beforehand; the others search one study at a time.
        for group in [waiting] if tuner == kinds.GRID else [[study] for study in waiting]:
            model = TrialModel(
                _plan_of(studies, given), data, keep_checkpoints=given.keep_checkpoints
            )
            oracle = _oracle(group, given, tuner, max_trials)
            tuners.search(oracle, model, _score(studies), worst, _progress(group, given))
    print(f"Results: {given.workdir / given.dataset}")


def _oracle(
    studies: Sequence[Study], given: Options, kind: str, max_trials: int | None
) -> keras_tuner.Oracle:
    space = keras_tuner.HyperParameters()
    space.Choice("study", [study.name for study in studies])
    # The arms vary fastest: a search that is stopped early has all of them for some seeds.
    space.Choice("seed", list(range(given.seeds)))
    space.Choice("execution", list(range(given.executions)))
    for study in studies:
        with space.conditional_scope("study", [study.name]):
            space.Choice(_arm_of(study), [arm.label for arm in study.arms])
    planned = [plan for study in studies for plan in plans.of(study, given)]
    return tuners.new_oracle(
        kind, space, max_trials=max_trials or len(planned), epochs=planned[0].config.epochs
    )


def _arm_of(study: Study) -> str:
    return f"arm of {study.name}"


def _plan_of(
    studies: Sequence[Study], given: Options
) -> Callable[[keras_tuner.HyperParameters], Plan]:
    by_name = {study.name: study for study in studies}

    def plan_of(hp: keras_tuner.HyperParameters) -> Plan:
        study = by_name[hp.get("study")]
        arm = study.arm(hp.get(_arm_of(study)))
        epochs = hp.values.get("tuner/epochs")
        return plans.one(study, arm, given, hp.get("seed"), hp.get("execution"), epochs)

    return plan_of


def _score(studies: Sequence[Study]) -> tuners.Score:
    metrics = {study.name: study.metric for study in studies}
    return lambda row: measure(row, metrics[row["study"]])


def _progress(studies: Sequence[Study], given: Options) -> Callable[[Plan, dict[str, Any]], None]:
    """Returns a function that prints a line a trial."""
    metrics = {study.name: study.metric for study in studies}
    planned = [plan for study in studies for plan in plans.of(study, given)]
    say = costs.progress(planned)

    def report(plan: Plan, row: dict[str, Any]) -> None:
        metric = metrics[row["study"]]
        outcome = f"diverged: {row['diverged']}"
        if not row["diverged"]:
            outcome = f"{metric} {measure(row, metric):.4g}"
        part = "" if row["complete"] else f" after {row['epochs']} epochs"
        say(f"{row['study']}: {row['arm']}, seed {row['seed']}: {outcome}{part}", row["seconds"])

    return report
