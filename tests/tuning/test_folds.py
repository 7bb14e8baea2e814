"""Groups are divided into folds whole, and evenly."""

import numpy as np
import pytest

from tfseq.errors import UserError
from tfseq.tuning import folds


def sizes(seed):
    random = np.random.default_rng(seed)
    return {f"subject {number}": int(random.integers(1, 50)) for number in range(23)}


@pytest.mark.parametrize("number", [2, 5, 23])
@pytest.mark.parametrize("seed", range(3))
def test_every_group_is_in_one_fold_and_the_folds_are_as_large_as_each_other(number, seed):
    groups = sizes(seed)
    divided = folds.divide(groups, number, seed)
    assert sorted(group for fold in divided for group in fold) == sorted(groups)
    records = [sum(groups[group] for group in fold) for fold in divided]
    assert len(records) == number
    assert min(records) > 0
    assert max(records) - min(records) <= max(groups.values())


def test_the_division_depends_on_the_seed_and_not_on_the_order_of_the_groups():
    groups = dict.fromkeys(sizes(0), 7)
    backwards = dict(reversed(groups.items()))
    assert folds.divide(groups, 4, 1) == folds.divide(backwards, 4, 1)
    assert folds.divide(groups, 4, 1) != folds.divide(groups, 4, 2)


def test_more_folds_than_groups_are_refused():
    with pytest.raises(UserError, match=r"--folds=4: expected no more than the 3 groups"):
        folds.divide({"a": 5, "b": 1, "c": 2}, 4, 0)


def test_one_group_cannot_be_divided():
    with pytest.raises(UserError, match=r"all 5 records are of one group, 'a'"):
        folds.divide({"a": 5}, 2, 0)
