"""Settings by their dotted names, as flags and messages have them: optimizer.name."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

_WORD_ENDS = re.compile(r"[/._]")


def flat(settings: Mapping[str, Any] | ConfigDict, prefix: str = "") -> dict[str, Any]:
    """Returns settings by their dotted names, each after a prefix such as "--config."."""
    found = {}
    for key, value in settings.items():
        if isinstance(value, Mapping | ConfigDict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def nearest(name: str, known: Sequence[str], most: int = 1) -> str:
    """Returns "; did you mean ...?" with the known names most like one; empty if none is.

    Args:
        name: What was asked for.
        known: What there is.
        most: Names to offer at most.
    """
    *_, last = _WORD_ENDS.split(name.strip("*/."))
    holding = [each for each in known if last in _WORD_ENDS.split(each)]
    # What has the last word is meant, however much else is in its name.
    cutoff = 0.0 if holding else 0.6
    close = difflib.get_close_matches(name, holding or known, n=most, cutoff=cutoff)
    return f"; did you mean {' or '.join(close)}?" if close else ""
