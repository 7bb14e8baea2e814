"""simulated_emg: four simulated muscle records and the joint angle that they carry."""

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfseq.datasets import record_builder
from tfseq.datasets.simulated_emg import simulator
from tfseq.errors import UserError

_STREAMS = ("train", "validation", "test")


@dataclasses.dataclass(eq=False, kw_only=True)
class SimulatedEmgConfig(record_builder.RecordConfig):
    """How many records are simulated, and from which seed.

    Raises:
        UserError: If a setting is not of its type or too low.
    """

    train_records: int = 2000
    validation_records: int = 500
    test_records: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.settings():
            value, low = getattr(self, name), 0 if name == "seed" else 1
            if type(value) is not int or value < low:
                raise UserError(
                    f"--config.dataset.{name}: expected a whole number, {low} or more; "
                    f"got {value!r}"
                )


class Builder(record_builder.RecordBuilder):
    """Simulates the records; needs no files. See README.md for the formula."""

    CONFIG_CLASS = SimulatedEmgConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - TFDS reads a list
        SimulatedEmgConfig(name="default", description="2000 + 500 + 500 records"),
        SimulatedEmgConfig(
            name="tiny",
            description="64 + 32 + 32 records, for tests and first looks",
            train_records=64,
            validation_records=32,
            test_records=32,
        ),
    ]

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager
        return {split: self._generate_examples(split) for split in _STREAMS}

    def _generate_examples(self, split: str) -> Any:
        count = getattr(self.builder_config, f"{split}_records")
        stream = (self.builder_config.seed, _STREAMS.index(split))
        steps = self.record_shape()[1]
        if not self.with_beam:
            return _examples(split, 0, simulator.records(*stream, count, steps))
        starts = range(0, count, simulator.RECORDS_PER_CHUNK)
        return self.from_parts(starts, functools.partial(_chunk, split, stream, count, steps))


def _chunk(
    split: str, stream: tuple[int, int], count: int, steps: int, start: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    chunk = simulator.simulate_chunk(*stream, start // simulator.RECORDS_PER_CHUNK, steps)
    return _examples(split, start, itertools.islice(zip(*chunk, strict=True), count - start))


def _examples(
    split: str, first: int, records: Iterable[tuple[np.ndarray, np.ndarray]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, (waveform, label) in enumerate(records, first):
        record_id = f"{split}/{index}"
        yield (
            index,
            {"waveform": waveform, "label": label, "record_id": record_id, "group": record_id},
        )
