"""What can be wrong with a record by itself, or with two of them: looked for in one pass."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from tfseq import schema

CLIPPED_SHARE, CLIPPED_STEPS = 0.05, 3
"""A channel or label is clipped if more than this share of a record's finite values, and at least
so many, are exactly its highest or exactly its lowest, and it is not constant."""


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """One kind of trouble in one place.

    Attributes:
        kind: Such as nan, clipped, duplicate; what the schema calls it in `allow_<kind>`.
        split: The split, or the two splits that share records or groups.
        where: The channel, label, or feature.
        count: How many records; of the kind shared_group, how many groups.
        detail: The worst of them by name, in words.
        allowed: Whether the schema allows it.
    """

    kind: str
    split: str
    where: str
    count: int
    detail: str
    allowed: bool


class _Found:
    """Counts records, and keeps the worst."""

    def __init__(self, kept: int) -> None:
        self.count = 0
        self._kept = kept
        self._worst: list[tuple[float, str]] = []

    def add(self, text: str, severity: float = 0.0) -> None:
        self.count += 1
        if len(self._worst) < self._kept or severity > self._worst[-1][0]:
            self._worst.append((severity, text))
            self._worst.sort(key=lambda each: -each[0])
            del self._worst[self._kept :]

    def detail(self) -> str:
        more = self.count - len(self._worst)
        return ", ".join(text for _, text in self._worst) + (f" and {more} more" if more else "")


class _Row:
    """What is checked of a channel or label: an array (records,) of each."""

    def __init__(self, values: np.ndarray, value_range: tuple[float, float]) -> None:
        finite = np.isfinite(values)
        self.not_a_number = np.isnan(values).sum(axis=1)
        self.infinite = np.isinf(values).sum(axis=1)
        self.known = finite.sum(axis=1)
        self.high = np.where(finite, values, -np.inf).max(axis=1)
        low = np.where(finite, values, np.inf).min(axis=1)
        self.constant = self.high == low
        above, below = self.high - value_range[1], value_range[0] - low
        self.beyond = np.maximum(above, below)
        self.farthest = np.where(above > below, self.high, low)
        at_high = (values == self.high[:, np.newaxis]).sum(axis=1)
        at_low = (values == low[:, np.newaxis]).sum(axis=1)
        steps = np.maximum(at_high, at_low)
        self.held = np.where(at_high >= at_low, self.high, low)
        self.share_held = steps / np.maximum(self.known, 1)
        long = (self.share_held > CLIPPED_SHARE) & (steps >= CLIPPED_STEPS)
        self.clipped = long & ~self.constant & (self.known > 0)


class RecordChecks:
    """Checks records of several splits. Of each it keeps its name and a digest, and no more.

    Args:
        label_range: The lowest and the highest label allowed.
        named: How many records are named, of every kind and place.
    """

    def __init__(self, label_range: tuple[float, float], named: int = 3) -> None:
        self._label_range = label_range
        self._named = named
        self._found: dict[tuple[str, str, str], _Found] = {}
        self._waveforms: dict[bytes, tuple[str, str]] = {}
        self._groups: dict[str, str] = {}
        self._group_pairs: set[tuple[str, str, str]] = set()

    def add(self, split: str, examples: Mapping[str, np.ndarray]) -> None:
        """Checks records.

        Args:
            split: The split that they are of.
            examples: `waveform` (records, channels, steps) and `label` (records, steps) float32,
                `record_id` and `group` (records,) bytes.
        """
        waveforms, labels = examples["waveform"], examples["label"]
        names = [name.decode() for name in examples["record_id"]]
        groups = [group.decode() for group in examples["group"]]
        for channel in range(waveforms.shape[1]):
            values = waveforms[:, channel]
            self._check_row(split, f"channel {channel + 1}", values, names, schema.waveform_range())
        self._check_row(split, "label", labels, names, self._label_range)
        for name, group, waveform in zip(names, groups, waveforms, strict=True):
            self._check_copy(split, name, waveform)
            self._check_group(split, group)

    def anomalies(self) -> list[Anomaly]:
        """Returns what was found, in the order in which it was first met."""
        return [
            Anomaly(kind, split, where, found.count, found.detail(), allows(kind, where))
            for (kind, split, where), found in self._found.items()
        ]

    def _check_row(
        self,
        split: str,
        where: str,
        values: np.ndarray,
        names: list[str],
        value_range: tuple[float, float],
    ) -> None:
        def note(kind: str, which: np.ndarray, severity: np.ndarray, text: Callable) -> None:
            for index in np.flatnonzero(which):
                found = self._at(kind, split, where)
                found.add(f"{names[index]} ({text(index)})", float(severity[index]))

        row = _Row(values, value_range)
        for kind, steps in (("nan", row.not_a_number), ("infinite", row.infinite)):
            note(kind, steps > 0, steps, lambda i, steps=steps: f"{steps[i]} steps")
        note("out_of_range", row.beyond > 0, row.beyond, lambda i: str(row.farthest[i]))
        note("constant", row.constant, row.known, lambda i: str(row.high[i]))
        note(
            "clipped",
            row.clipped,
            row.share_held,
            lambda i: f"{100 * row.share_held[i]:.1f} % at {row.held[i]!s}",
        )

    def _check_copy(self, split: str, name: str, waveform: np.ndarray) -> None:
        digest = hashlib.blake2b(waveform.tobytes(), digest_size=16).digest()
        first_split, first = self._waveforms.setdefault(digest, (split, name))
        if (first_split, first) != (split, name):
            pair = (first, name) if first_split != split else sorted((first, name))
            self._at("duplicate", _both(first_split, split), "waveform").add(" = ".join(pair))

    def _check_group(self, split: str, group: str) -> None:
        first = self._groups.setdefault(group, split)
        pair = (first, split, group)
        if first != split and pair not in self._group_pairs:
            self._group_pairs.add(pair)
            self._at("shared_group", _both(first, split), "group").add(group)

    def _at(self, kind: str, split: str, where: str) -> _Found:
        return self._found.setdefault((kind, split, where), _Found(self._named))


def allows(kind: str, where: str) -> bool:
    """Returns whether the schema allows an anomaly.

    Args:
        kind: The kind of anomaly.
        where: A channel, `label`, or another feature.
    """
    feature = schema.feature("waveform" if where.startswith("channel ") else where)
    if kind == "nan":
        return not feature.float_domain.disallow_nan
    if kind == "infinite":
        return not feature.float_domain.disallow_inf
    return f"allow_{kind}" in feature.annotation.tag


def _both(one: str, other: str) -> str:
    return one if one == other else f"{one}, {other}"
