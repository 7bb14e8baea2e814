"""The verdict rules on made-up numbers."""

import math

import numpy as np
import pytest

from tfseq.tuning import sizes, studies, study, verdicts
from tfseq.tuning.study import NO_GAIN, SAME, WORSE, Arm, Expectation, Relation, Study


def made(relation, *others):
    labels = ["reference", *others]
    return Study(
        name="cnn/made",
        claim="",
        model="cnn",
        arms=tuple(Arm(label) for label in labels),
        expectations=tuple(Expectation(label, "reference", relation) for label in others),
    )


def rows(losses):
    """Rows of one epoch by arm and seed; None is a trial that diverged."""
    return [
        {
            "arm": arm,
            "seed": seed,
            "execution": 0,
            "complete": True,
            "diverged": "the loss is not finite" if loss is None else None,
            "loss": [loss],
            "val_loss": [loss],
        }
        for arm, values in losses.items()
        for seed, loss in enumerate(values)
    ]


REFERENCE = [5.0, 5.1, 4.9]
CASES = {
    "clearly higher": (WORSE, [6.0, 6.2, 5.8], "reproduced"),
    "clearly lower": (WORSE, [4.0, 4.2, 3.8], "not reproduced"),
    "the same": (WORSE, [5.0, 5.1, 4.9], "not reproduced"),
    "a little higher in every seed": (WORSE, [5.01, 5.111, 4.909], "reproduced"),
    "now higher, now lower": (WORSE, [6.0, 4.0, 5.2], "inconclusive"),
    "equal to a few percent": (SAME, [5.1, 5.15, 5.02], "reproduced"),
    "twice as high": (SAME, [10.0, 10.1, 9.9], "not reproduced"),
    "equal on average alone": (SAME, [6.0, 4.0, 5.2], "inconclusive"),
    "no gain from more": (NO_GAIN, [5.0, 5.1, 4.9], "reproduced"),
    "harm from more": (NO_GAIN, [6.0, 6.1, 5.9], "reproduced"),
    "a gain from more": (NO_GAIN, [4.0, 4.1, 3.9], "not reproduced"),
    "always diverged": (WORSE, [None, None, None], "reproduced"),
    "diverged once": (WORSE, [None, 5.11, 4.9], "inconclusive"),
}


@pytest.mark.parametrize(("relation", "other", "word"), CASES.values(), ids=CASES.keys())
def test_a_claim_of_one_arm(relation, other, word):
    found = verdicts.judge(made(relation, "other"), rows({"reference": REFERENCE, "other": other}))
    assert found.word == word
    assert found.seeds == (0, 1, 2)


def test_one_contradiction_is_enough_and_one_open_comparison_leaves_it_open():
    three = made(WORSE, "a", "b")
    higher, lower, noisy = [6.0, 6.1, 5.9], [4.0, 4.1, 3.9], [6.5, 4.0, 5.2]
    for a, b, word in (
        (higher, higher, "reproduced"),
        (higher, lower, "not reproduced"),
        (higher, noisy, "inconclusive"),
        (lower, noisy, "not reproduced"),
    ):
        found = verdicts.judge(three, rows({"reference": REFERENCE, "a": a, "b": b}))
        assert found.word == word


def test_one_seed_or_a_missing_arm_leaves_a_claim_open():
    one = verdicts.judge(made(WORSE, "a"), rows({"reference": [5.0], "a": [9.0]}))
    assert one.word == "inconclusive"
    assert one.comparisons[0].p_support is None
    partly = verdicts.judge(
        made(WORSE, "a", "b"), rows({"reference": REFERENCE, "a": [9.0, 9.1, 9.2]})
    )
    assert partly.word == "inconclusive"
    assert len(partly.comparisons) == 1
    assert verdicts.judge(made(WORSE, "a"), []).word == "inconclusive"


def test_only_seeds_that_all_arms_have_are_compared():
    found = verdicts.judge(made(WORSE, "a"), rows({"reference": [5.0, 5.1, 1.0], "a": [6.0, 6.2]}))
    assert found.seeds == (0, 1)
    assert found.comparisons[0].difference.mean == pytest.approx(1.05)


def test_repetitions_of_a_seed_are_averaged_and_trainings_cut_short_left_out():
    every = rows({"reference": REFERENCE, "a": [6.0, 6.1, 5.9]})
    again = [row | {"execution": 1, "val_loss": [row["val_loss"][0] + 2]} for row in every]
    short = [row | {"complete": False, "val_loss": [100.0]} for row in every]
    found = verdicts.losses(made(WORSE, "a"), every + again + short, study.BEST)
    np.testing.assert_allclose(found["reference"], [6.0, 6.1, 5.9])


def test_the_p_value_is_that_of_the_paired_t_test_corrected_by_holm():
    # Differences 1, 2, 3: t = 2 / (1 / sqrt 3) = 3.4641 with 2 degrees of freedom.
    p = 0.5 - 3.4641016 / (2 * math.sqrt(3.4641016**2 + 2))
    alone = verdicts.judge(made(WORSE, "a"), rows({"reference": REFERENCE, "a": [6.0, 7.1, 7.9]}))
    assert alone.comparisons[0].p_support == pytest.approx(p, rel=1e-5)
    both = verdicts.judge(
        made(WORSE, "a", "b"),
        rows({"reference": REFERENCE, "a": [6.0, 7.1, 7.9], "b": [9.0, 5.1, 4.9]}),
    )
    assert both.comparisons[0].p_support == pytest.approx(2 * p, rel=1e-5)


def test_a_confidence_interval_is_student_s():
    found = verdicts.interval(np.array([1.0, 2.0, 3.0]))
    assert found.mean == 2.0
    assert found.high - 2.0 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert verdicts.interval(np.array([1.0])).high == math.inf


def test_a_margin_must_be_passed():
    half_more = Relation("higher by more than half", margin=0.5)
    for other, word in (([9.0, 9.2, 8.8], "reproduced"), ([6.0, 6.1, 5.9], "not reproduced")):
        found = verdicts.judge(made(half_more, "a"), rows({"reference": REFERENCE, "a": other}))
        assert found.word == word


def test_the_mlp_s_sizes_must_also_have_the_losses_that_the_report_names():
    sized = sizes.sample_size("mlp", (15, 40))
    for training, validation, word in ((6.1, 5.2, "reproduced"), (1.5, 1.3, "not reproduced")):
        every = rows({"15": [validation] * 3, "40": [validation, validation + 0.01, validation]})
        found = verdicts.judge(sized, [row | {"loss": [training]} for row in every])
        assert found.word == word


def test_the_residual_network_s_sizes_must_rise_and_then_be_constant():
    sized = sizes.sample_size("resnet", (15, 40, 80))
    noise = np.array([0.0, 0.02, 0.01])
    rising = {"15": 3.0 + noise, "40": 5.0 + 2 * noise, "80": 5.05 + noise}
    found = verdicts.judge(sized, rows({label: list(each) for label, each in rising.items()}))
    assert found.word == "reproduced"
    constant = {label: list(5.0 + noise) for label in rising}
    assert verdicts.judge(sized, rows(constant)).word == "not reproduced"


def test_the_ranking_wants_the_mlp_last():
    (ranking,) = study.find(studies.ALL, ["models/ranking"])
    last = {"cnn": [1.0, 1.1], "mlp": [9.0, 9.1], "conv_ae": [2.0, 2.1], "resnet": [3.0, 3.1]}
    assert verdicts.judge(ranking, rows(last)).word == "reproduced"
    first = last | {"mlp": [0.5, 0.6]}
    assert verdicts.judge(ranking, rows(first)).word == "not reproduced"
