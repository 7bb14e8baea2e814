"""The user's numbered sets: finds their files and checks that they go together."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tfseq.datasets.record_sets import arrays, reading
from tfseq.errors import UserError

FORM = f"set1.npz, or set1_x.npy and set1_y.npy, set2 and so on, with {arrays.FORM}"

_SPAN = 1000
_NAME = re.compile(r"set([0-9]+)(\.npz|_x\.npy|_y\.npy)")


@dataclasses.dataclass(frozen=True)
class RecordSet:
    """A numbered set whose form has been checked."""

    number: int
    x: arrays.Array
    y: arrays.Array

    @property
    def name(self) -> str:
        """The file, or both files, for messages."""
        return f"{self.x.path}" if self._is_npz else f"{self.x.path} and {self.y.path.name}"

    @property
    def count(self) -> int:
        """How many records there are."""
        return self.x.shape[0]

    @property
    def record_shape(self) -> tuple[int, int]:
        """(channels, steps) of every record."""
        return self.x.shape[1:]

    @property
    def _is_npz(self) -> bool:
        return self.x.path == self.y.path

    def spans(self) -> list[range]:
        """Returns the indices of all records in spans that can be read on their own."""
        # An archive can only be read from its beginning.
        size = self.count if self._is_npz else _SPAN
        return [range(self.count)[first : first + size] for first in range(0, self.count, size)]

    def records(
        self, wanted: Callable[[int], bool], span: range | None = None
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yields the wanted records in one pass over the files.

        Args:
            wanted: Says by its index whether a record is wanted.
            span: One of `spans()`; all if None.

        Yields:
            index, waveform (channels, steps) and label (steps,), both float32.

        Raises:
            UserError: If a file is damaged.
        """
        if self._is_npz:
            return reading.from_npz(self.x, self.y, wanted)
        return reading.from_npy(self.x, self.y, filter(wanted, span or range(self.count)))


def find(folder: Path, numbers: tuple[int, ...] | None = None) -> dict[int, tuple[Path, ...]]:
    """Returns the files of each set: one .npz, or the .npy of x and the .npy of y.

    Args:
        folder: `--manual_dir`.
        numbers: The sets wanted; all if None.

    Raises:
        UserError: If there is no set, or a wanted one is missing, lacks a file or is there twice.
    """
    if not folder.is_dir():
        raise UserError(f"--manual_dir: there is no folder {folder}; expected one with {FORM}")
    found: dict[int, dict[Path, str]] = {}
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match and path.is_file():
            found.setdefault(int(match[1]), {})[path] = match[2]
    if not found:
        raise UserError(f"--manual_dir: there is no set in {folder}; expected {FORM}")
    for number in numbers or ():
        if number not in found:
            raise UserError(
                f"--config.dataset.sets: there is no set {number} in {folder}; "
                f"there are {', '.join(map(str, sorted(found)))}"
            )
    chosen = sorted(found) if numbers is None else numbers
    return {number: _one_form(number, found[number]) for number in chosen}


def _one_form(number: int, paths: dict[Path, str]) -> tuple[Path, ...]:
    forms = tuple(paths.values())
    if forms in ((".npz",), ("_x.npy", "_y.npy")):
        return tuple(paths)
    first = next(iter(paths))
    if len(forms) == 1:
        other = first.name.replace(*(("_x", "_y") if forms == ("_x.npy",) else ("_y", "_x")))
        raise UserError(f"{first}: there is no {other} beside it; expected {FORM}")
    names = ", ".join(path.name for path in paths)
    raise UserError(
        f"{first}: set {number} is there twice ({names}); expected one .npz or one pair"
    )


def open_sets(folder: Path, numbers: tuple[int, ...] | None = None) -> list[RecordSet]:
    """Returns the sets of a folder in the order of their numbers. Reads their headers alone.

    Args:
        folder: `--manual_dir`.
        numbers: The sets wanted; all if None.

    Raises:
        UserError: If a set is missing or not of the form, or two differ in channels or steps.
    """
    sets = [open_set(number, files) for number, files in find(folder, numbers).items()]
    for other in sets[1:]:
        if other.record_shape != sets[0].record_shape:
            raise UserError(
                f"{other.name}: records are {size(other.record_shape)}, but those of "
                f"{sets[0].name} are {size(sets[0].record_shape)}; expected one size "
                "(--config.dataset.sets chooses sets)"
            )
    return sets


def open_set(number: int, files: tuple[Path, ...]) -> RecordSet:
    """Returns a set whose headers have been read and found to be of the form.

    Args:
        number: The number of the set.
        files: Its files, as `find` gives them.

    Raises:
        UserError: If the set is not of the form.
    """
    if len(files) == 1:
        x, y = arrays.npz_headers(files[0])
    else:
        x, y = (arrays.npy_header(path, key) for path, key in zip(files, arrays.AXES, strict=True))
    if x.shape[0] != y.shape[0]:
        raise UserError(
            f"{y.path}: y has {y.shape[0]} records, but x has {x.shape[0]}; expected as many"
        )
    if x.shape[2] != y.shape[1]:
        raise UserError(
            f"{y.path}: y has {y.shape[1]} steps, but x has {x.shape[2]}; expected as many"
        )
    return RecordSet(number, x, y)


def size(record_shape: tuple[int, int]) -> str:
    """Returns (channels, steps) for a message."""
    channels, steps = record_shape
    return f"{channels} x {steps} (channels x steps)"
