"""record_sets: the user's own numbered sets of records."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import tensorflow_datasets as tfds

from tfseq import schema
from tfseq.datasets import record_builder
from tfseq.datasets.record_sets import sources, splits
from tfseq.errors import UserError


def _set_numbers(value: Any) -> tuple[int, ...]:
    numbers = value if isinstance(value, tuple | list) else (value,)
    if not numbers or not all(_is_whole(number) and number >= 0 for number in numbers):
        raise UserError(
            f"--config.dataset.sets: {value!r} names no sets; expected numbers such as 1,4"
        )
    return tuple(sorted({int(number) for number in numbers}))


def _low_and_high(value: Any) -> tuple[float, float]:
    try:
        low, high = map(float, value) if isinstance(value, tuple | list) else (0.0, 0.0)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not low < high:
        raise UserError(
            f"--config.dataset.label_range: {value!r} is not a range; "
            "expected two numbers, the lower first"
        )
    return low, high


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclasses.dataclass(eq=False, kw_only=True)
class RecordSetsConfig(record_builder.RecordConfig):
    """Which sets are taken, their size, and what a record may hold.

    Raises:
        UserError: If a setting is not of its type.
    """

    sets: tuple[int, ...] | None = None
    label_range: tuple[float, float] = dataclasses.field(default_factory=schema.label_range)
    group_by: str = "record"
    allow_nonfinite: bool = False
    allow_out_of_range: bool = False
    channels: int = dataclasses.field(default_factory=lambda: schema.waveform_shape()[0])
    steps: int = dataclasses.field(default_factory=lambda: schema.waveform_shape()[1])

    def __post_init__(self) -> None:
        # The name of the config follows the settings: what means the same must be the same.
        if self.sets is not None:
            self.sets = _set_numbers(self.sets)
        self.label_range = _low_and_high(self.label_range)
        if self.group_by not in splits.GROUPS:
            raise UserError(
                f"--config.dataset.group_by: expected one of {', '.join(splits.GROUPS)}, "
                f"got {self.group_by!r}"
            )
        for name in ("allow_nonfinite", "allow_out_of_range"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(
                    f"--config.dataset.{name}: {getattr(self, name)!r} is not true or false"
                )
        for name in ("channels", "steps"):
            if not _is_whole(getattr(self, name)) or getattr(self, name) < 1:
                raise UserError(
                    f"--config.dataset.{name}: {getattr(self, name)!r} is not a number of {name}; "
                    "expected 1 or more"
                )

    @classmethod
    def from_settings(cls, manual_dir: Path | None, **settings: Any) -> Self:
        """Returns the config for some settings; the size is that of the first set if not given.

        Args:
            manual_dir: The folder of the sets, or None.
            **settings: Values for some of `settings()`.

        Raises:
            UserError: If a value is not valid, a set is missing, or the first is not of the form.
        """
        if manual_dir is not None and not {"channels", "steps"} <= settings.keys():
            files = sources.find(manual_dir, cls(name="", **settings).sets)
            first = sources.open_set(*next(iter(files.items())))
            settings = dict(zip(("channels", "steps"), first.record_shape, strict=True)) | settings
        return super().from_settings(manual_dir, **settings)


class Builder(record_builder.RecordBuilder):
    """Reads numbered sets from `--manual_dir`. See README.md for their form."""

    CONFIG_CLASS = RecordSetsConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - TFDS reads a list
        RecordSetsConfig(name="default", description="All sets, of the schema's size and range")
    ]
    EXPECTS = sources.FORM
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"Put your sets into the folder: {sources.FORM}."

    @classmethod
    def source_files(cls, manual_dir: Path, config: RecordSetsConfig) -> list[Path]:
        """Returns the files of the chosen sets.

        Raises:
            UserError: If there is no set, or a chosen one is missing, lacks a file or is there
                twice.
        """
        found = sources.find(manual_dir, config.sets)
        return [path for files in found.values() for path in files]

    def record_shape(self) -> tuple[int, int]:
        """Returns (channels, steps) of the waveforms."""
        return self.builder_config.channels, self.builder_config.steps

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        folder = Path(dl_manager.manual_dir)
        sets = sources.open_sets(folder, self.builder_config.sets)
        if sets[0].record_shape != self.record_shape():
            raise UserError(
                f"{sets[0].name}: records are {sources.size(sets[0].record_shape)}; "
                f"expected {sources.size(self.record_shape())} "
                "(--config.dataset.channels and --config.dataset.steps set another size)"
            )
        division = splits.Division.by(self.builder_config.group_by, [each.number for each in sets])
        nonempty = division.nonempty(sets)
        for split in ("train", "validation"):
            if split not in nonempty:
                count = sum(each.count for each in sets)
                few = f"records ({count})" if division.of_set is None else f"sets ({len(sets)})"
                raise UserError(
                    f"--manual_dir: {folder} holds too few {few}: none falls to the {split} "
                    "split; expected more (10 % are for validation and 10 % for test)"
                )
        return {split: self._generate_examples(sets, division, split) for split in nonempty}

    def _generate_examples(
        self, sets: list[sources.RecordSet], division: splits.Division, split: str
    ) -> Any:
        parts = [(each, span) for each in sets for span in each.spans()]
        generate = functools.partial(_examples, self.builder_config, division, split)
        return self.from_parts(parts, generate)


def _examples(
    config: RecordSetsConfig,
    division: splits.Division,
    split: str,
    part: tuple[sources.RecordSet, range],
) -> Iterator[tuple[str, dict[str, Any]]]:
    record_set, span = part
    number = record_set.number

    def wanted(index: int) -> bool:
        return division.split(number, index) == split

    for index, waveform, label in record_set.records(wanted, span):
        record_builder.check_record(
            waveform,
            label,
            f"{record_set.name}: record {index}",
            config.label_range,
            allow_nonfinite=config.allow_nonfinite,
            allow_out_of_range=config.allow_out_of_range,
        )
        record_id = f"set{number}/{index}"
        group = splits.group_of(config.group_by, number, index)
        yield (
            record_id,
            {"waveform": waveform, "label": label, "record_id": record_id, "group": group},
        )
