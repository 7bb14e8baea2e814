"""Whether this process shares a search with others, by Keras Tuner's environment variables."""

import os

from tfseq.errors import UserError


def is_distributed() -> bool:
    """Whether several processes share a search."""
    return "KERASTUNER_ORACLE_IP" in os.environ


def is_chief() -> bool:
    """Whether this process chooses the trials that others run."""
    return is_distributed() and "chief" in os.environ["KERASTUNER_TUNER_ID"]


def name() -> str:
    """Returns what tells this process from those that share its search."""
    return os.environ["KERASTUNER_TUNER_ID"] if is_distributed() else "alone"


def check_environment() -> None:
    """Refuses a distributed search that is half set up.

    Raises:
        UserError: If one of Keras Tuner's environment variables is missing.
    """
    names = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
    missing = [name for name in names if name not in os.environ]
    if missing and len(missing) < len(names):
        raise UserError(
            f"{missing[0]} is not set: a distributed search needs {', '.join(names)} in every "
            "process; see docs/tuning.md"
        )
