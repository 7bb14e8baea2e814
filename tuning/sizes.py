"""The report's figures 8 to 11 as studies: a model's losses by the size of its test set."""

from collections.abc import Sequence

from tfseq import models
from tfseq.configs.flat import nearest
from tfseq.errors import UserError
from tfseq.tuning.study import FINAL, FINAL_TRAINING, SAME, WORSE, Arm, Expectation, Study

SIZES = (15, 20, 30, 40, 60, 80, 100, 150, 200)
"""Test-set sizes, in records."""

_CLAIMS = {
    "mlp": "losses stay at about 6 (training) and 5 (validation) for every test-set size (fig. 8)",
    "cnn": "the validation loss does not depend on the test-set size (fig. 9)",
    "conv_ae": "the validation loss does not depend on the test-set size (fig. 10)",
    "resnet": "the validation loss is lowest at a test-set size of 15, rises, and is constant from "
    "40 on (fig. 11)",
}
FIGURES = {"mlp": 8, "cnn": 9, "conv_ae": 10, "resnet": 11}
"""The number of each model's sample-size figure in the report."""


def sample_size(model: str, sizes: Sequence[int] = SIZES) -> Study:
    """Returns the study of a model's losses by the size of its test set.

    Args:
        model: Any model; the report's claim if it makes one of it, else that the size makes no
            difference.
        sizes: Records held out of the training split, at least two sizes.

    Raises:
        UserError: If there is no such model, or the sizes are not as expected.
    """
    if model not in models.names():
        hint = nearest(model, models.names())
        names = ", ".join(models.names())
        raise UserError(f"--model: there is no model {model!r}{hint}; there are {names}")
    if len(set(sizes)) < 2 or min(sizes) < 1:
        raise UserError(f"--sizes: expected two sizes or more, all positive, got {sizes}")
    small, *_, large = labels = [str(size) for size in sorted(set(sizes))]
    rising = model == "resnet"
    constant = [label for label in labels if int(label) >= 40] if rising else labels
    expected = [Expectation(label, large, SAME) for label in constant if label != large]
    if rising:
        expected += [Expectation(label, small, WORSE) for label in labels if label != small]
    return Study(
        name=f"{model}/sample-size",
        claim=_CLAIMS.get(model, _CLAIMS["cnn"].partition(" (")[0]),
        model=model,
        arms=tuple(Arm(label, held_out=int(label)) for label in labels),
        expectations=tuple(expected),
        metric=FINAL,
        levels={FINAL_TRAINING: 6, FINAL: 5} if model == "mlp" else {},
        reading="the last epoch's loss: the best one would be chosen on the test set itself",
    )
