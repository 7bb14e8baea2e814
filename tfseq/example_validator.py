r"""Holds every split of a data set against the schema, and looks for drift between them.

  python -m tfseq.example_validator --dataset=simulated_emg
  python -m tfseq.example_validator --dataset=emg_lower_limb --manual_dir=emg
  python -m tfseq.example_validator --dataset=record_sets --manual_dir=my_sets \
      --config.dataset.allow_nonfinite=true --named=10

Found are: NaN and infinite values, labels out of range, channels and labels that are constant or
clipped in a record, records with the same waveform, groups in two splits, and values distributed
otherwise than in the split train. The exit code is 1 if there is an anomaly that tfseq/schema.pbtxt
does not allow; what it allows is printed as a note.
"""

import dataclasses
from typing import TYPE_CHECKING

from absl import flags

from tfseq import cli, dataset_flags, statistics_gen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfseq.datasets.record_builder import RecordBuilder
    from tfseq.record_checks import Anomaly
    from tfseq.record_statistics import RecordStatistics

FLAGS = flags.FLAGS

NOTABLE_DRIFT = 0.01
"""Drift of so many bits is worth a note: a gain of 1.2, or a quarter of a standard deviation."""
ENOUGH_RECORDS = 30
"""Drift between splits of fewer records may be chance: it is no more than a note."""


@dataclasses.dataclass(frozen=True)
class Validation:
    """What a data set was found to be.

    Attributes:
        anomalies: All of them, those that the schema allows as well.
        records: By split, how many records were read.
        drift: By split other than train, the Jensen-Shannon divergence from train in bits: of
            every channel and of the label.
    """

    anomalies: list["Anomaly"]
    records: dict[str, int]
    drift: dict[str, list[float]]

    @property
    def refused(self) -> list["Anomaly"]:
        """The anomalies that the schema does not allow."""
        return [anomaly for anomaly in self.anomalies if not anomaly.allowed]


def validate(builder: "RecordBuilder", named: int = 3) -> Validation:
    """Reads all records of a data set once, and holds them against the schema.

    Labels are held against the range that the data set was built with, if it has such a setting.

    Args:
        builder: A data set whose records are on disk.
        named: How many records are named, of every kind and place.
    """
    from tfseq import schema
    from tfseq.example_gen import Split
    from tfseq.record_checks import RecordChecks
    from tfseq.record_statistics import RecordStatistics
    from tfseq.value_counts import divergence

    label_range = getattr(builder.builder_config, "label_range", schema.label_range())
    checks = RecordChecks(label_range, named)
    statistics = {name: RecordStatistics() for name in builder.info.splits}
    for name, of_split in statistics.items():
        batches = Split(builder, name).examples().batch(statistics_gen.BATCH_SIZE).prefetch(1)
        for examples in batches.as_numpy_iterator():
            checks.add(name, examples)
            of_split.add(examples["waveform"], examples["label"])
    training = statistics["train"].counts
    drift = {
        name: [divergence(*rows) for rows in zip(training, of_split.counts, strict=True)]
        for name, of_split in statistics.items()
        if name != "train"
    }
    records = {name: of_split.records for name, of_split in statistics.items()}
    anomalies = [*_of_shape(statistics["train"]), *checks.anomalies(), *_of_drift(drift, records)]
    return Validation(anomalies, records, drift)


def _of_shape(statistics: "RecordStatistics") -> "Iterator[Anomaly]":
    from tfseq import schema
    from tfseq.record_checks import Anomaly, allows

    if statistics.shape != schema.waveform_shape():
        sizes = [
            f"{channels} x {steps}"
            for channels, steps in (statistics.shape, schema.waveform_shape())
        ]
        detail = "{}; the schema says {}".format(*sizes)
        allowed = allows("shape", "waveform")
        yield Anomaly("shape", "all", "waveform", statistics.records, detail, allowed)


def _of_drift(drift: dict[str, list[float]], records: dict[str, int]) -> "Iterator[Anomaly]":
    from tfseq.record_checks import Anomaly

    for name, bits in drift.items():
        few = min(records[name], records["train"]) < ENOUGH_RECORDS
        for where, distance in zip(_rows(len(bits)), bits, strict=True):
            threshold = _threshold(where)
            if distance > min(NOTABLE_DRIFT, threshold):
                detail = f"{distance:.3f} bits from train; the schema allows {threshold:g}"
                if few and distance > threshold:
                    detail += f", but fewer than {ENOUGH_RECORDS} records prove nothing"
                allowed = few or distance <= threshold
                yield Anomaly("drift", name, where, records[name], detail, allowed)


def _threshold(where: str) -> float:
    from tfseq import schema

    feature = schema.feature("label" if where == "label" else "waveform")
    comparator = feature.drift_comparator.jensen_shannon_divergence
    return comparator.threshold if comparator.HasField("threshold") else 1.0


def _rows(count: int) -> list[str]:
    return [f"channel {number}" for number in range(1, count)] + ["label"]


def table(validation: Validation, dataset: str) -> str:
    """Returns what was found as text, the anomalies that the schema does not allow first."""
    from tfseq.statistics_table import columns

    counts = ", ".join(f"{count} {name}" for name, count in validation.records.items())
    lines = [f"{dataset} against the schema: {counts} records"]
    if validation.anomalies:
        rows = [["", "kind", "split", "where", "count", "worst"]]
        for anomaly in sorted(validation.anomalies, key=lambda each: each.allowed):
            verdict = "note" if anomaly.allowed else "anomaly"
            kind = anomaly.kind.replace("_", " ")
            place = [anomaly.split, anomaly.where, str(anomaly.count)]
            rows.append([verdict, kind, *place, anomaly.detail])
        lines += ["", *(f"  {line}" for line in columns(rows, left=len(rows[0])))]
    if validation.drift:
        rows = [["", *validation.drift]]
        for index, where in enumerate(_rows(len(next(iter(validation.drift.values()))))):
            bits = [f"{each[index]:.4f}" for each in validation.drift.values()]
            rows.append([where, *bits])
        lines += ["", "  Drift from train, Jensen-Shannon divergence in bits (0 to 1)"]
        lines += [f"    {line}" for line in columns(rows)]
    refused = len(validation.refused)
    notes = len(validation.anomalies) - refused
    lines += ["", f"Anomalies that the schema does not allow: {refused}; notes: {notes}"]
    return "\n".join(lines)


def define_flags() -> None:
    """Defines the flags."""
    dataset_flags.define()
    flags.DEFINE_integer(
        "named", 3, "Records named, of every kind of anomaly and place.", lower_bound=1
    )


def main() -> None:
    """Runs the command."""
    cli.require("dataset")
    cli.import_tensorflow()
    from tfseq import record_integrity

    builder = dataset_flags.load()
    with record_integrity.named(builder):
        validation = validate(builder, FLAGS.named)
    print(table(validation, FLAGS.dataset))
    if validation.refused:
        raise SystemExit(1)


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
