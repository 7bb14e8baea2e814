"""What a study is: one comparison of the report's, declared as data."""

import dataclasses
import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfseq.configs.flat import nearest
from tfseq.errors import UserError

BEST = "best validation loss"
FINAL = "validation loss of the last epoch"
FIRST_TRAINING = "training loss of the first epoch"
FINAL_TRAINING = "training loss of the last epoch"

_MEASURES = {
    BEST: lambda row: min(row["val_loss"]),
    FINAL: lambda row: row["val_loss"][-1],
    FIRST_TRAINING: lambda row: row["loss"][0],
    FINAL_TRAINING: lambda row: row["loss"][-1],
}


def measure(row: Mapping[str, Any], metric: str) -> float:
    """Returns a trial's value of a metric, such as `BEST`; infinity if the trial diverged."""
    return math.inf if row["diverged"] else _MEASURES[metric](row)


@dataclasses.dataclass(frozen=True)
class Relation:
    """What a claim says of an arm's loss beside that of another.

    Attributes:
        words: The relation as a table says it.
        margin: In "above", how much higher the loss must be, as a fraction of the other's; in
            "within", how far apart they may be.
        within: Whether the claim is that the two are equal but for the margin.
        tie: In "above", how much more than the margin is still as good as nothing.
    """

    words: str
    margin: float = 0.0
    within: bool = False
    tie: float = 0.0


WORSE = Relation("higher", tie=0.01)
MUCH_WORSE = Relation("higher by more than half", margin=0.5)
QUARTER_WORSE = Relation("higher by more than a quarter", margin=0.25)
NO_GAIN = Relation("not lower by more than 5 %", margin=-0.05)
# The report gives losses as whole numbers, 5 and 6: it could not have seen less than a tenth.
SAME = Relation("equal to 10 %", margin=0.1, within=True)


@dataclasses.dataclass(frozen=True)
class Arm:
    """One of the things that a study compares.

    Attributes:
        label: Its name in tables.
        settings: What differs from the report's settings: dotted keys of the config.
        model: The model, where the study compares several.
        held_out: Test on so many records of the training split and train on its others, instead of
            on the training and the validation split.
    """

    label: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    model: str | None = None
    held_out: int | None = None


@dataclasses.dataclass(frozen=True)
class Expectation:
    """What the claim says of one arm beside another.

    Attributes:
        arm: Label of the arm.
        reference: Label of the arm that it is compared with.
        relation: How its loss compares with the reference's.
    """

    arm: str
    reference: str
    relation: Relation


@dataclasses.dataclass(frozen=True)
class Study:
    """A claim of the report's and the trials that answer it.

    Attributes:
        name: Such as "cnn/optimizer".
        claim: What the report says.
        model: The model of all arms that name none.
        arms: What is compared; the first one has the report's settings.
        expectations: What the claim says of the arms. All must hold.
        metric: What is compared: `BEST` and the like.
        levels: By metric, the whole number that the report names as the loss itself.
        reading: How the claim was read where it leaves that open.
    """

    name: str
    claim: str
    model: str
    arms: tuple[Arm, ...]
    expectations: tuple[Expectation, ...]
    metric: str = BEST
    levels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    reading: str = ""

    def arm(self, label: str) -> Arm:
        """Returns the arm of a label.

        Raises:
            KeyError: If there is none.
        """
        return {arm.label: arm for arm in self.arms}[label]

    def model_of(self, arm: Arm) -> str:
        """Returns the name of the model that an arm trains."""
        return arm.model or self.model

    @property
    def is_sample_size(self) -> bool:
        """Whether the arms are sizes of the test set."""
        return all(arm.held_out for arm in self.arms)


def find(studies: Sequence[Study], patterns: Iterable[str]) -> list[Study]:
    """Returns the studies that one of several patterns such as "cnn/optimizer" or "mlp/*" matches.

    Raises:
        UserError: If a pattern matches none; the message names the nearest.
    """
    names = [study.name for study in studies]
    chosen = set()
    for pattern in patterns:
        matched = fnmatch.filter(names, pattern)
        if not matched:
            hint = nearest(pattern, names, most=3)
            raise UserError(f"--study: there is no study {pattern!r}{hint}; --list shows all")
        chosen.update(matched)
    return [study for study in studies if study.name in chosen]
