"""The recordings of the data set: which there are, what is wrong with them, and how they are read.

The defects of the published files that are handled here are listed in README.md.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfseq.datasets.emg_lower_limb import parsing
from tfseq.errors import UserError

FOLDER = "SEMG_DB1"
EXPECTS = f"{FOLDER}/ with N_TXT/ and A_TXT/ (UCI data set 278)"
_SUBFOLDERS = {"N": "N_TXT", "A": "A_TXT"}
CHANNELS = ("RF", "BF", "VM", "ST")
EXERCISES = ("mar", "pie", "sen")
SPLITS = {
    "train": (
        *("1N", "2N", "3N", "6N", "7N", "10N", "11N"),
        *("1A", "4A", "5A", "8A", "9A", "10A", "11A"),
    ),
    "validation": ("4N", "8N", "2A", "6A"),
    "test": ("5N", "9N", "3A", "7A"),
}

# Equal to 1Npie and 1Nsen to the byte.
_REPEATED = frozenset({"2Npie", "2Nsen"})
# Who shares samples with whom must not be parted by a split of the groups.
_GROUPS = {"1N": "1N+2N", "2N": "1N+2N"}
# The goniometer was mounted the other way round: flexion is negative.
_MIRRORED = frozenset({"1A", "8A", "9A", "3N", "4N", "6N", "7Npie", "7Nsen"})


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """One exercise of one subject.

    Attributes:
        name: Subject and exercise, such as "4Nmar".
        waveform: (4, steps) float32, mV: RF, BF, VM, ST at 1000 Hz.
        label: (steps,) float32, 0..4: the knee's flexion in units of 30 degrees.
        missing_rows: How many rows fewer than its header announces the file holds.
    """

    name: str
    waveform: np.ndarray
    label: np.ndarray
    missing_rows: int = 0

    @property
    def group(self) -> str:
        """The subject, or the subjects who share samples."""
        subject = self.name[:-3]
        return _GROUPS.get(subject, subject)

    def standardized(self) -> "Recording":
        """Returns the recording with mean 0 and standard deviation 1 in every channel.

        Raises:
            UserError: If a channel does not vary.
        """
        for channel, values in zip(CHANNELS, self.waveform, strict=True):
            if np.ptp(values) == 0:
                raise UserError(
                    f"--config.dataset.scaling: {channel} of recording {self.name} is {values[0]:g}"
                    ' throughout and cannot be standardized; expected "raw" for such files'
                )
        waveform = self.waveform.astype(np.float64)
        waveform -= waveform.mean(axis=1, keepdims=True)
        waveform /= waveform.std(axis=1, keepdims=True)
        return dataclasses.replace(self, waveform=waveform.astype(np.float32))

    def windows(self, steps: int, stride: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yields (first step, waveform (4, steps), label (steps,)), one window every `stride`."""
        for first in range(0, len(self.label) - steps + 1, stride):
            span = slice(first, first + steps)
            yield first, self.waveform[:, span], self.label[span]


def names(subject: str, *, allow_duplicates: bool = False) -> tuple[str, ...]:
    """Returns the names of a subject's recordings.

    Args:
        subject: Such as "4N".
        allow_duplicates: With those that repeat another subject's.
    """
    every = (subject + exercise for exercise in EXERCISES)
    return tuple(name for name in every if allow_duplicates or name not in _REPEATED)


def find(manual_dir: Path, *, allow_duplicates: bool = False) -> dict[str, dict[str, Path]]:
    """Returns the files of every split that has any: their paths by recording.

    Args:
        manual_dir: The folder that holds `SEMG_DB1/`.
        allow_duplicates: With the recordings that repeat another subject's.

    Raises:
        UserError: If the folder is not as expected, or train or validation has no file.
    """
    expected = f"expected the folder that holds {EXPECTS}"
    if not (manual_dir / FOLDER).is_dir():
        inside = any((manual_dir / subfolder).is_dir() for subfolder in _SUBFOLDERS.values())
        hint = f"; this seems to be {FOLDER} itself: give the folder above it" if inside else ""
        raise UserError(f"--manual_dir: there is no {FOLDER} in {manual_dir}; {expected}{hint}")
    files = {
        split: _files(manual_dir, subjects, allow_duplicates) for split, subjects in SPLITS.items()
    }
    if not any(files.values()):
        raise UserError(f"--manual_dir: {manual_dir / FOLDER} holds no recording; {expected}")
    for split in ("train", "validation"):
        if not files[split]:
            raise UserError(
                f"--manual_dir: {manual_dir / FOLDER} holds no recording for {split}; expected "
                f"{names(SPLITS[split][0])[0]}.txt and others, of {', '.join(SPLITS[split])}"
            )
    return {split: paths for split, paths in files.items() if paths}


def _files(manual_dir: Path, subjects: tuple[str, ...], allow_duplicates: bool) -> dict[str, Path]:
    paths = {
        name: manual_dir / FOLDER / _SUBFOLDERS[subject[-1]] / f"{name}.txt"
        for subject in subjects
        for name in names(subject, allow_duplicates=allow_duplicates)
    }
    return {name: path for name, path in paths.items() if path.is_file()}


def read(path: Path) -> Recording:
    """Reads a file and mends its known defects.

    Args:
        path: A file named after subject and exercise, such as `4Nmar.txt`.

    Raises:
        UserError: If the file is not a recording, or is damaged; names the file and line.
    """
    table, missing_rows = parsing.read_table(path)
    waveform, angle = np.split(table, [len(CHANNELS)], axis=1)
    return Recording(
        name=path.stem,
        waveform=np.ascontiguousarray(waveform.T, dtype=np.float32),
        label=knee_label(angle[:, 0], path.stem),
        missing_rows=missing_rows,
    )


def knee_label(angle: np.ndarray, name: str) -> np.ndarray:
    """Returns the label of a recording: flexion from its rest angle, in units of 30 degrees.

    Args:
        angle: (steps,) FX in degrees.
        name: Subject and exercise, which say whether the goniometer was mirrored.

    Returns:
        (steps,) float32, 0..4.
    """
    mirrored = name in _MIRRORED or name[:-3] in _MIRRORED
    flexion = -angle if mirrored else angle
    rest = np.percentile(flexion, 0.5)
    return np.clip((flexion - rest) / 30.0, 0.0, 4.0).astype(np.float32)
