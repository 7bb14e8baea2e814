"""How a search chooses its trials, by name; Keras Tuner is not imported here, for --help."""

from absl import flags

GRID = "grid"
"""Every combination once."""
OPEN = ("hyperband", "bayesian", "random")
"""Those that look for the best; hyperband has its own number of trials."""
KINDS = (GRID, *OPEN)


def define_flags(default: str | None, purpose: str) -> None:
    """Defines the flags of a search for better settings.

    Args:
        default: One of `OPEN`; None is no search.
        purpose: What `--help` says of --tuner.
    """
    flags.DEFINE_enum("tuner", default, OPEN, purpose)
    flags.DEFINE_integer(
        "max_trials", 30, "Trials, but for hyperband, which has its own number [30].", lower_bound=1
    )
