"""The trials of a study: what each trains, and where its result goes."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from tfseq.tuning import options, results
from tfseq.tuning.options import Options
from tfseq.tuning.study import Arm, Study


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a trial trains.

    Attributes:
        folder: Gets the result, the logs and the checkpoint.
        key: The values by which its row is found among the results.
        title: A name for files, made of the key.
        config: All settings, the seed among them.
        facts: What the row says besides.
        held_out: How many records of the training split to test on, or the groups of both splits;
            None takes the validation split. The row has the errors of each such record.
        may_fail: Whether it differs from other trials in what may not fit data or machine. If what
            all share does not fit, that is the user's mistake and no result.
    """

    folder: Path
    key: Mapping[str, Any]
    title: str
    config: ConfigDict
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    held_out: int | Sequence[str] | None = None
    may_fail: bool = True

    def recorded(self) -> dict[str, Any] | None:
        """Returns the trial's row if it has been run."""
        return results.find(self.folder, self.key)


def of(study: Study, given: Options) -> list[Plan]:
    """Returns the plans of all trials of a study.

    Raises:
        UserError: If a setting is out of range.
    """
    repeats = itertools.product(range(given.seeds), range(given.executions), study.arms)
    return [one(study, arm, given, seed, execution) for seed, execution, arm in repeats]


def one(
    study: Study,
    arm: Arm,
    given: Options,
    seed: int,
    execution: int = 0,
    epochs: int | None = None,
) -> Plan:
    """Returns the plan of a trial.

    Args:
        study: Whose.
        arm: Which of its arms.
        given: How studies are run.
        seed: Of weights, dropout and the order of records.
        execution: Which repetition of it.
        epochs: Stop after so many, if that is before the end.
    """
    config = options.config_of(study, arm, given, seed)
    whole = config.epochs
    config.epochs = min(whole, epochs or whole)
    part = f"-{config.epochs}-epochs" if config.epochs < whole else ""
    title = "".join(each if each.isalnum() or each in ".-" else "-" for each in arm.label)
    return Plan(
        folder=given.folder(study),
        key={
            "study": study.name,
            "arm": arm.label,
            "seed": seed,
            "execution": execution,
            "epochs": config.epochs,
        },
        title=f"{title}-seed-{seed}-execution-{execution}{part}",
        config=config,
        facts={
            "complete": config.epochs == whole,
            "dataset": given.dataset,
            "model": study.model_of(arm),
            "settings": dict(arm.settings),
            "width_fraction": given.width_fraction,
        },
        held_out=arm.held_out,
        may_fail=bool(arm.settings or arm.model),
    )


def missing(planned: Sequence[Plan]) -> list[Plan]:
    """Returns those of several plans whose trials have not been run."""
    rows = {folder: results.read(folder) for folder in {each.folder for each in planned}}
    return [
        each
        for each in planned
        if not any(each.key.items() <= row.items() for row in rows[each.folder])
    ]
