"""Which split a record of the user's sets falls to."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from tfseq.datasets.record_sets.sources import RecordSet

SPLITS = ("train", "validation", "test")
GROUPS = ("record", "set")
"""What stays together: nothing, or the records of a set."""


@dataclasses.dataclass(frozen=True)
class Division:
    """The splits of records, or of whole sets.

    Attributes:
        of_set: The split of each set by its number; None divides record by record.
    """

    of_set: Mapping[int, str] | None = None

    @classmethod
    def by(cls, group: str, numbers: Sequence[int]) -> Self:
        """Returns the division of some sets by one of `GROUPS`.

        A tenth of the sets, at least one, is for validation and as many for testing, if there are
        three or more: those with the lowest hashes of their numbers.
        """
        if group == "record":
            return cls()
        ordered = sorted(numbers, key=lambda number: _hash(f"set{number}"))
        held_out = max(1, round(len(ordered) / 10))
        tested = held_out if len(ordered) >= 3 else 0
        names = ["validation"] * held_out + ["test"] * tested
        names += ["train"] * (len(ordered) - len(names))
        return cls(dict(zip(ordered, names, strict=True)))

    def split(self, number: int, index: int) -> str:
        """Returns the split of a record, by its set's number and its index in it."""
        return split_of(number, index) if self.of_set is None else self.of_set[number]

    def nonempty(self, sets: Iterable[RecordSet]) -> list[str]:
        """Returns the splits that some record of the sets falls to."""
        found = set()
        for each in sets:
            for index in range(each.count):
                found.add(self.split(each.number, index))
                if self.of_set is not None or len(found) == len(SPLITS):
                    break
        return [split for split in SPLITS if split in found]


def group_of(group: str, number: int, index: int) -> str:
    """Returns the group of a record, by its set's number and its index in it."""
    return f"set{number}" if group == "set" else f"set{number}/{index}"


def split_of(number: int, index: int) -> str:
    """Returns the split of a single record: train for 80 %, validation for 10 %, test for 10 %.

    It depends on the record's set and index alone, so it stays when sets are added.

    Args:
        number: The number of the set.
        index: The record's index in the set.
    """
    part = _hash(f"set{number}/{index}") % 10
    return "train" if part < 8 else SPLITS[part - 7]


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
