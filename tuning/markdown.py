"""claims.md: the report on the claims as Markdown, with its figures in files."""

import os
from collections.abc import Sequence
from pathlib import Path

from tfseq import atomic_file
from tfseq.figures import style
from tfseq.tuning import document, studies
from tfseq.tuning.document import Document
from tfseq.tuning.findings import HEADER, Finding

_DOTS_PER_INCH = 80


def write(report: Document, path: Path, figures: Path) -> None:
    """Writes the page and its figures.

    Args:
        report: What it says.
        path: The Markdown file.
        figures: Folder of the figures.

    Raises:
        OSError: If one cannot be written.
    """
    figures.mkdir(parents=True, exist_ok=True)
    for finding in report.findings:
        style.save(finding.figure, figures / f"{finding.slug}.png", _DOTS_PER_INCH)
    places = (os.path.relpath(place, path.parent) for place in (figures, document.DATA_PAGE))
    atomic_file.write(path, _text(report, *places))


def _text(report: Document, figures: str, data_page: str) -> str:
    parts = [f"# {document.TITLE}", *document.INTRODUCTION]
    parts.append("\n".join(f"    {command}" for command in report.commands()))
    parts += report.counts()
    parts.append(_table(("claim", *report.datasets), _summary(report, data_page)))
    for study in studies.ALL:
        found = report.of(study)
        reading = f" ({study.reading})" if study.reading else ""
        parts += [f"## {study.name}", f"{study.claim}. Compared: {study.metric}{reading}."]
        parts += [text for finding in found for text in _finding(finding, figures)]
        parts += [] if found else ["Not run."]
    return "\n\n".join(parts) + "\n"


def _summary(report: Document, data_page: str) -> list[Sequence[str]]:
    seen = f"[seen in the data]({data_page})"
    rows = [
        (f"`{name}`: {claim}", *[seen] * len(report.datasets))
        for name, claim in document.DATA_CLAIMS.items()
    ]
    for study, words in report.summary():
        link = study.name.replace("/", "")
        rows.append((f"[`{study.name}`](#{link}): {study.claim}", *map(_emphasized, words)))
    return rows


def _emphasized(word: str) -> str:
    return word if word == document.NOT_RUN else f"**{word}**"


def _finding(finding: Finding, figures: str) -> list[str]:
    return [
        f"### {finding.dataset}: {finding.verdict.word}",
        f"{finding.ran}.",
        _table(HEADER, finding.table),
        f"{finding.test}.",
        f"![{finding.study.name} on {finding.dataset}]({figures}/{finding.slug}.png)",
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
