"""From the results of a study to a verdict: paired tests over seeds.

Every arm is trained with the same seeds, so that the losses of two arms are compared seed by seed.
What a claim says of two arms ("higher", "equal to 10 %") is tested against its opposite, and the
opposite against it, each with a one-sided paired t test; p values are corrected by Holm's method
over the comparisons of a study. A claim is reproduced if all its comparisons support it, and not
reproduced if one contradicts it.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from tfseq.tuning.study import Expectation, Relation, Study, measure

ALPHA = 0.05
REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE = "reproduced", "not reproduced", "inconclusive"
SUPPORTS, CONTRADICTS, UNCLEAR = "supports", "contradicts", "unclear"

# A trial that diverged counts as so many times the highest loss of the study that is finite.
_PENALTY = 2.0


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean with its 95 % confidence interval, which is infinite for a single value."""

    mean: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What the results say of one expectation.

    Attributes:
        expectation: Which.
        difference: Of the losses, arm minus reference, seed by seed.
        p_support: Holm-corrected p value for what the claim says; None with fewer than two seeds.
        p_against: The same for its opposite.
        outcome: `SUPPORTS`, `CONTRADICTS` or `UNCLEAR`.
    """

    expectation: Expectation
    difference: Interval
    p_support: float | None
    p_against: float | None
    outcome: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The answer to a claim.

    Attributes:
        word: `REPRODUCED`, `NOT_REPRODUCED` or `INCONCLUSIVE`.
        seeds: Those that all arms were run with.
        comparisons: One for each expectation.
        levels: By metric that the report gives a number for: the mean of all arms, and an outcome.
    """

    word: str
    seeds: tuple[int, ...]
    comparisons: tuple[Comparison, ...]
    levels: Mapping[str, tuple[Interval, str]]


def losses(study: Study, rows: Sequence[Mapping[str, Any]], metric: str) -> dict[str, np.ndarray]:
    """Returns each arm's losses, one for each seed that all of its arms were run with.

    Args:
        study: Whose arms.
        rows: Its results.
        metric: Such as `study.metric`.

    Returns:
        By label (seeds,); the mean where a seed was repeated, infinity where a trial diverged. The
        arms that were not run are not in it.
    """
    found = _by_seed(study, rows)
    return {
        arm.label: np.array(
            [
                np.mean([measure(row, metric) for row in found[arm.label][seed]])
                for seed in common_seeds(study, rows)
            ]
        )
        for arm in study.arms
        if arm.label in found
    }


def common_seeds(study: Study, rows: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    """Returns the seeds, in order, that all arms were run with of which there are results."""
    found = _by_seed(study, rows).values()
    return tuple(sorted(set.intersection(*map(set, found)))) if found else ()


def _by_seed(
    study: Study, rows: Sequence[Mapping[str, Any]]
) -> dict[str, dict[int, list[Mapping[str, Any]]]]:
    """Returns the rows of whole trainings by arm and seed."""
    known = {arm.label for arm in study.arms}
    found: dict[str, dict[int, list[Mapping[str, Any]]]] = {}
    for row in rows:
        if row["complete"] and row["arm"] in known:
            found.setdefault(row["arm"], {}).setdefault(row["seed"], []).append(row)
    return found


def judge(study: Study, rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Returns the verdict on a study's claim.

    Args:
        study: The study.
        rows: Its results; arms that are missing leave the verdict open.
    """
    finite = penalized(losses(study, rows, study.metric))
    possible = [each for each in study.expectations if {each.arm, each.reference} <= finite.keys()]
    comparisons = _compare(possible, finite)
    levels = {
        metric: _level(level, penalized(losses(study, rows, metric)))
        for metric, level in study.levels.items()
    }
    outcomes = [each.outcome for each in comparisons] + [outcome for _, outcome in levels.values()]
    complete = len(possible) == len(study.expectations)
    word = _word(outcomes, complete)
    return Verdict(word, common_seeds(study, rows), tuple(comparisons), levels)


def penalized(by_arm: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns losses with twice the highest finite one of all for those that are infinite."""
    values = [value for each in by_arm.values() for value in each if math.isfinite(value)]
    worst = _PENALTY * max(values, default=1.0)
    return {label: np.where(np.isfinite(each), each, worst) for label, each in by_arm.items()}


def interval(values: np.ndarray) -> Interval:
    """Returns the mean of some values with its 95 % confidence interval (Student's t)."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, -math.inf, math.inf)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def unseen(count: int, comparisons: int) -> float:
    """Returns how large a difference must be to be seen, in standard deviations of differences.

    Args:
        count: Seeds, at least 2.
        comparisons: Of the study: Holm's method asks the most of the smallest p value.
    """
    quantile = stats.t.ppf(1 - ALPHA / max(1, comparisons), count - 1)
    return float(quantile / math.sqrt(count))


def _word(outcomes: Sequence[str], complete: bool) -> str:
    if CONTRADICTS in outcomes:
        return NOT_REPRODUCED
    done = complete and outcomes and all(each == SUPPORTS for each in outcomes)
    return REPRODUCED if done else INCONCLUSIVE


def _compare(
    expectations: Sequence[Expectation], by_arm: Mapping[str, np.ndarray]
) -> list[Comparison]:
    pairs = [(by_arm[each.arm], by_arm[each.reference]) for each in expectations]
    tests = [_tests(each.relation, *pair) for each, pair in zip(expectations, pairs, strict=True)]
    supports = _holm([support for support, _ in tests])
    againsts = _holm([against for _, against in tests])
    found = []
    for expectation, (arm, reference), support, against in zip(
        expectations, pairs, supports, againsts, strict=True
    ):
        outcome = UNCLEAR
        if support is not None and support < ALPHA:
            outcome = SUPPORTS
        elif against is not None and against < ALPHA:
            outcome = CONTRADICTS
        found.append(Comparison(expectation, interval(arm - reference), support, against, outcome))
    return found


def _tests(
    relation: Relation, arm: np.ndarray, reference: np.ndarray
) -> tuple[float | None, float | None]:
    """Returns the p values for and against a relation, without correction."""
    if len(arm) < 2:
        return None, None
    margin = relation.margin * reference
    if relation.within:
        # Two one-sided tests: above the lower bound, and below the upper one.
        support = max(_p_positive(arm - reference + margin), _p_positive(reference - arm + margin))
        sign = np.sign(np.mean(arm - reference)) or 1.0
        return support, _p_positive(sign * (arm - reference) - margin)
    least = arm - reference - margin
    return _p_positive(least), _p_positive(relation.tie * reference - least)


def _p_positive(values: np.ndarray) -> float:
    """Returns the p value of a one-sided t test for a mean above zero."""
    # The test divides by the spread.
    if np.ptp(values) <= 1e-9 * np.abs(values).max():
        return 0.0 if values[0] > 0 else 1.0
    return float(stats.ttest_1samp(values, 0.0, alternative="greater").pvalue)


def _holm(values: Sequence[float | None]) -> list[float | None]:
    """Returns p values corrected for their number: Holm, 1979."""
    known = sorted(value for value in values if value is not None)
    corrected, highest = {}, 0.0
    for place, value in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - place) * value))
        corrected.setdefault(value, highest)
    return [None if value is None else corrected[value] for value in values]


def _level(level: int, by_arm: Mapping[str, np.ndarray]) -> tuple[Interval, str]:
    """Returns the mean of all arms, and whether it rounds to what the report says."""
    if not by_arm:
        return Interval(math.nan, -math.inf, math.inf), UNCLEAR
    mean = interval(np.mean(list(by_arm.values()), axis=0))
    low, high = level - 0.5, level + 0.5
    if low <= mean.low and mean.high <= high:
        return mean, SUPPORTS
    return mean, CONTRADICTS if mean.high < low or mean.low > high else UNCLEAR
