"""emg_lower_limb: four leg muscles and the knee angle, of healthy and of injured knees."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from absl import logging

from tfseq.datasets import record_builder
from tfseq.datasets.emg_lower_limb import recordings
from tfseq.errors import UserError

_SCALINGS = ("raw", "standardized")


@dataclasses.dataclass(eq=False, kw_only=True)
class EmgLowerLimbConfig(record_builder.RecordConfig):
    """How recordings are cut into windows and scaled.

    Attributes:
        stride: Steps from the start of a window to that of the next.
        scaling: "raw", mV as published, or "standardized": every channel of a recording has mean 0
            and standard deviation 1.
        allow_duplicates: Read the recordings that repeat another subject's to the byte as well.

    Raises:
        UserError: If a setting is none of these.
    """

    stride: int = 1000
    scaling: str = "raw"
    allow_duplicates: bool = False

    def __post_init__(self) -> None:
        whole = isinstance(self.stride, int) and not isinstance(self.stride, bool)
        if not whole or self.stride < 1:
            raise UserError(
                "--config.dataset.stride: expected a whole number of steps, at least 1; "
                f"found {self.stride!r}"
            )
        if self.scaling not in _SCALINGS:
            raise UserError(
                f"--config.dataset.scaling: expected {' or '.join(_SCALINGS)}; "
                f"found {self.scaling!r}"
            )
        if not isinstance(self.allow_duplicates, bool):
            raise UserError(
                "--config.dataset.allow_duplicates: expected true or false; "
                f"found {self.allow_duplicates!r}"
            )


class Builder(record_builder.RecordBuilder):
    """Cuts the recordings of UCI data set 278 into windows. See README.md."""

    CONFIG_CLASS = EmgLowerLimbConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - TFDS reads a list
        EmgLowerLimbConfig(name="default", description="A window every 1000 steps, in mV"),
        EmgLowerLimbConfig(
            name="stride_500", description="A window every 500 steps, in mV", stride=500
        ),
        EmgLowerLimbConfig(
            name="stride_2000", description="A window every 2000 steps, in mV", stride=2000
        ),
        EmgLowerLimbConfig(
            name="scaling_standardized",
            description="A window every 1000 steps, every channel standardized",
            scaling="standardized",
        ),
    ]
    EXPECTS = recordings.EXPECTS
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    Download "EMG Dataset in Lower Limb", https://doi.org/10.24432/C5ZW3P, and unpack it so that
    manual_dir holds SEMG_DB1/N_TXT/1Nmar.txt, SEMG_DB1/A_TXT/1Amar.txt and the other recordings.
    """

    @classmethod
    def source_files(cls, manual_dir: Path, config: EmgLowerLimbConfig) -> list[Path]:
        """Returns the files of the recordings that are used.

        Raises:
            UserError: If `manual_dir` does not hold the data set.
        """
        found = recordings.find(manual_dir, allow_duplicates=config.allow_duplicates)
        return [path for paths in found.values() for path in paths.values()]

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        manual_dir = Path(dl_manager.manual_dir)
        allow_duplicates = self.builder_config.allow_duplicates
        found = recordings.find(manual_dir, allow_duplicates=allow_duplicates)
        _warn_of_gaps(found, allow_duplicates)
        # All are read before the first record is written, so that a damaged file is told at once.
        splits = {split: self._long_enough(paths) for split, paths in found.items()}
        for split in ("train", "validation"):
            if not splits[split]:
                raise UserError(
                    f"--manual_dir: no recording for {split} in {manual_dir} is as long as a "
                    f"record; expected at least {self.record_shape()[1]} rows"
                )
        return {split: self._generate_examples(paths) for split, paths in splits.items() if paths}

    def _long_enough(self, paths: dict[str, Path]) -> list[Path]:
        """Reads and scales all files; returns those that are long enough for a record."""
        steps = self.record_shape()[1]
        long_enough = []
        for path in paths.values():
            recording = recordings.read(path)
            rows, missing = len(recording.label), recording.missing_rows
            if missing:
                logging.warning("%s: %d rows fewer than its header announces", path, missing)
            if rows < steps:
                logging.warning("%s is left out: %d rows, a record has %d", path, rows, steps)
                continue
            if self.builder_config.scaling == "standardized":
                recording.standardized()
            long_enough.append(path)
        return long_enough

    def _generate_examples(self, paths: list[Path]) -> Any:
        steps = self.record_shape()[1]
        return self.from_parts(paths, functools.partial(_examples, self.builder_config, steps))


def _examples(
    config: EmgLowerLimbConfig, steps: int, path: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    recording = recordings.read(path)
    if config.scaling == "standardized":
        recording = recording.standardized()
    for first, waveform, label in recording.windows(steps, config.stride):
        record_id = f"{recording.name}/{first}"
        yield (
            record_id,
            {
                "waveform": waveform,
                "label": label,
                "record_id": record_id,
                "group": recording.group,
            },
        )


def _warn_of_gaps(found: dict[str, dict[str, Path]], allow_duplicates: bool) -> None:
    """Names the subjects and files that are not there."""
    for split, subjects in recordings.SPLITS.items():
        for subject in subjects:
            wanted = recordings.names(subject, allow_duplicates=allow_duplicates)
            missing = [f"{name}.txt" for name in wanted if name not in found.get(split, {})]
            if len(missing) == len(wanted):
                logging.warning("Subject %s (%s) is left out: it has no files", subject, split)
            elif missing:
                logging.warning("Subject %s (%s) lacks %s", subject, split, ", ".join(missing))
