"""What the report says of each study on each data set: numbers, sentences and a picture."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tfseq.tuning import costs, figures, results, sampling, sizes, verdicts
from tfseq.tuning.study import BEST, FINAL, Study
from tfseq.tuning.verdicts import Comparison, Verdict

HEADER = (
    "arm",
    "mean",
    "95 % interval",
    "each seed",
    "beside",
    "difference",
    "claim",
    "p",
    "so it",
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """The answer of one data set to one study.

    Attributes:
        study: The study.
        dataset: Name of the data set.
        verdict: The answer.
        ran: What was run, in a line.
        test: The test and its power, in a line.
        table: Rows of text under `HEADER`.
        figure: The losses.
        seconds: What the trials took.
        flags: The flags of the search that the trials share.
    """

    study: Study
    dataset: str
    verdict: Verdict
    ran: str
    test: str
    table: tuple[tuple[str, ...], ...]
    figure: Figure
    seconds: float
    flags: Mapping[str, Any]

    @property
    def slug(self) -> str:
        """A name for files and links."""
        return f"{self.study.name.replace('/', '-')}-{self.dataset}"


def collect(studies: Sequence[Study], workdir: Path) -> list[Finding]:
    """Returns a finding for every study and data set that there are results of.

    Args:
        studies: In the order in which they are to appear.
        workdir: Of the searches.
    """
    datasets = sorted(path.name for path in workdir.iterdir() if path.is_dir())
    datasets.sort(key=lambda name: name != "simulated_emg")
    found = []
    for study in studies:
        for dataset in datasets:
            folder = workdir / dataset / study.name
            rows = [row for row in results.read(folder) if row["complete"]]
            if rows:
                found.append(_finding(study, dataset, rows, results.settings_of(folder)))
    return found


def _finding(
    study: Study, dataset: str, rows: list[dict[str, Any]], shared: Mapping[str, Any]
) -> Finding:
    if study.is_sample_size:
        study = _as_run(study, rows)
    verdict = verdicts.judge(study, rows)
    return Finding(
        study=study,
        dataset=dataset,
        verdict=verdict,
        ran=_ran(dataset, rows, shared),
        test=_test(study, verdict),
        table=tuple(_table(study, rows, verdict)),
        figure=_figure(study, rows, ", ".join([dataset, *_width(rows)]), shared),
        seconds=sum(row["seconds"] for row in rows),
        flags={"--seeds": len({row["seed"] for row in rows}), **shared},
    )


def _as_run(study: Study, rows: Sequence[Mapping[str, Any]]) -> Study:
    """Returns the study with the sizes that were run, which the command line chooses."""
    run = {int(row["arm"]) for row in rows}
    return sizes.sample_size(study.model, sorted(run)) if len(run) > 1 else study


def _ran(dataset: str, rows: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]) -> str:
    whole = [row for row in rows if not row["diverged"] and row["loss"]]
    parts = [dataset]
    if whole:
        trained = _span(row["training_records"] for row in whole)
        measured = _span(row["validation_records"] for row in whole)
        parts.append(f"{trained} training and {measured} validation records")
    parts.append(f"{_span(row['epochs'] for row in rows)} epochs")
    seeds = {row["seed"] for row in rows}
    parts.append(f"{len(rows)} trials with {len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}")
    parts += _width(rows)
    parts += [f"{flag}={value}" for flag, value in shared.items() if "config" in flag]
    parts.append(f"{costs.duration(sum(row['seconds'] for row in rows))} of training")
    devices = {row["versions"]["device"] for row in rows}
    parts.append(f"on {' and '.join(sorted(devices))}")
    return ", ".join(parts)


def _width(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns how wide the MLP was, if it was there: the other models have no such layers."""
    widths = [row["width_fraction"] for row in rows if row["model"] == "mlp"]
    return [f"the MLP at width {_span(widths)}"] if widths else []


def _span(values: Any) -> str:
    known = sorted(set(values))
    if len(known) == 1:
        return f"{known[0]:g}"
    return f"{known[0]:g} to {known[-1]:g}"


def _test(study: Study, verdict: Verdict) -> str:
    count = len(verdict.seeds)
    missing = len(study.expectations) - len(verdict.comparisons)
    said = [f"{missing} of {len(study.expectations)} comparisons have not been run"] * bool(missing)
    if count < 2:
        said.append("with fewer than two common seeds nothing can be tested")
    else:
        limit = verdicts.unseen(count, len(verdict.comparisons))
        said.append(
            f"one-sided paired t tests over {count} seeds at {100 * verdicts.ALPHA:g} %, Holm's "
            f"correction for {len(verdict.comparisons)}; the smallest p value is significant where "
            f"the mean is beyond {limit:.1f} of its standard deviations over seeds"
        )
    for metric, (mean, outcome) in verdict.levels.items():
        level = study.levels[metric]
        said.append(
            f"{metric} {mean.mean:.4g} ({mean.low:.4g} to {mean.high:.4g}), "
            f"about {level} according to the report: {outcome}"
        )
    return "; ".join(said)


def _table(
    study: Study, rows: Sequence[Mapping[str, Any]], verdict: Verdict
) -> list[tuple[str, ...]]:
    by_arm = verdicts.losses(study, rows, study.metric)
    lines = []
    for label, values in by_arm.items():
        finite = values[np.isfinite(values)]
        mean = interval = ""
        if len(finite):
            found = verdicts.interval(finite)
            mean = f"{found.mean:.4g}"
            interval = f"{found.low:.4g} to {found.high:.4g}" if len(finite) > 1 else "one value"
        each = ", ".join(f"{value:.4g}" if np.isfinite(value) else "diverged" for value in values)
        compared = [one for one in verdict.comparisons if one.expectation.arm == label]
        cells = [_cells(one) for one in compared] or [("", "", "", "", "")]
        lines.append((label, mean, interval, each, *cells[0]))
        lines += [("", "", "", "", *more) for more in cells[1:]]
    return lines


def _cells(compared: Comparison) -> tuple[str, ...]:
    expectation, difference = compared.expectation, compared.difference
    text = f"{difference.mean:+.3g}"
    if np.isfinite(difference.low):
        text += f" ({difference.low:+.3g} to {difference.high:+.3g})"
    p = "" if compared.p_support is None else f"{compared.p_support:.3g}"
    return expectation.reference, text, expectation.relation.words, p, compared.outcome


def _figure(
    study: Study, rows: Sequence[Mapping[str, Any]], where: str, shared: Mapping[str, Any]
) -> Figure:
    if study.is_sample_size and len(study.arms) > 1:
        number = sizes.FIGURES.get(study.model)
        title = f"{study.model}: loss by test-set size\n{where}"
        loss = shared.get("--config.loss", "mse")
        return figures.sample_size(number, title, sampling.summarize(study, rows), loss)
    by_arm = verdicts.losses(study, rows, study.metric)
    known = [row["levels"] for row in rows if row.get("levels")]
    levels = known[0] if known and study.metric in (BEST, FINAL) else {}
    return figures.comparison(f"{study.name}\n{where}", study.metric, by_arm, levels)
