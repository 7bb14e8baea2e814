"""Divides groups of records, such as subjects, into folds of about as many records each."""

from collections.abc import Mapping

import numpy as np

from tfseq.errors import UserError


def divide(sizes: Mapping[str, int], folds: int, seed: int) -> list[list[str]]:
    """Returns the groups of each fold.

    The largest group comes first, and each goes to the fold that has the fewest records so far: no
    fold is empty, and their sizes differ by no more than the largest group.

    Args:
        sizes: How many records each group has.
        folds: How many folds.
        seed: Which of several groups of the same size comes first.

    Raises:
        UserError: If there are fewer groups than folds, or one group alone.
    """
    if len(sizes) == 1:
        ((group, records),) = sizes.items()
        raise UserError(
            f"all {records} records are of one group, {group!r}: expected several, such as "
            "subjects, to hold one out"
        )
    if folds > len(sizes):
        raise UserError(f"--folds={folds}: expected no more than the {len(sizes)} groups")
    names = np.random.default_rng(seed).permutation(sorted(sizes)).tolist()
    divided: list[list[str]] = [[] for _ in range(folds)]
    records = [0] * folds
    for group in sorted(names, key=lambda name: -sizes[name]):
        smallest = records.index(min(records))
        divided[smallest].append(group)
        records[smallest] += sizes[group]
    return [sorted(groups) for groups in divided]
