"""claims.html: the report on the claims as one file that any browser shows."""

import base64
import io
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

import matplotlib

from tfseq import atomic_file
from tfseq.figures import style
from tfseq.tuning import document, studies, verdicts
from tfseq.tuning.document import Document
from tfseq.tuning.findings import HEADER, Finding

_CLASSES = {
    verdicts.REPRODUCED: "yes",
    verdicts.NOT_REPRODUCED: "no",
    verdicts.INCONCLUSIVE: "open",
    document.NOT_RUN: "none",
}

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; color: #222; background: #fff;
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; }
h2 { font-size: 1.2rem; margin: 3rem 0 .3rem; padding-top: .8rem; border-top: 1px solid #ddd; }
h3 { font-size: 1rem; margin: 1.5rem 0 .3rem; }
p { margin: .5rem 0; max-width: 46rem; }
.small { color: #555; font-size: .85rem; }
a { color: #0b5cad; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; margin: .6rem 0; }
th, td { padding: .3rem .6rem; text-align: left; border-bottom: 1px solid #e4e4e4;
  vertical-align: top; }
th { font-weight: 600; background: #f6f6f6; }
.numbers td { white-space: nowrap; font-variant-numeric: tabular-nums; }
.claims { width: 100%; }
img { display: block; max-width: 100%; height: auto; margin: .6rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .6rem; background: #f6f6f6;
  font-size: .85rem; }
.word { padding: .1rem .5rem; border-radius: 1rem; font-size: .8rem; font-weight: 600;
  white-space: nowrap; display: inline-block; }
.yes { background: #d8efdc; color: #14532d; }
.no { background: #fbdcd8; color: #7f1d1d; }
.open { background: #f5ead0; color: #6b4a05; }
.none { background: #eee; color: #555; }
@media (max-width: 40rem) {
  .claims thead { display: none; }
  .claims tr { display: block; padding: .5rem 0; border-bottom: 1px solid #ddd; }
  .claims td { display: block; border: 0; padding: .15rem 0; }
  .claims td[data-set]::before { content: attr(data-set) ": "; color: #555; }
}
"""


def write(report: Document, path: Path) -> None:
    """Writes the page.

    Args:
        report: What it says.
        path: The HTML file; it needs no other.

    Raises:
        OSError: If it cannot be written.
    """
    atomic_file.write(path, _page(report, os.path.relpath(document.DATA_PAGE, path.parent)))


def _page(report: Document, data_page: str) -> str:
    parts = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(document.TITLE)}</title>\n<style>{_STYLE}</style>",
        f"<h1>{escape(document.TITLE)}</h1>",
        *[f"<p>{escape(text)}</p>" for text in document.INTRODUCTION],
        f"<pre>{escape(chr(10).join(report.commands()))}</pre>",
        *[f"<p>{escape(text)}</p>" for text in report.counts()],
        _summary(report, data_page),
    ]
    for study in studies.ALL:
        found = report.of(study)
        reading = f" ({study.reading})" if study.reading else ""
        parts += [
            f'<h2 id="{_anchor(study.name)}">{escape(study.name)}</h2>',
            f"<p>{escape(study.claim)}. Compared: {escape(study.metric + reading)}.</p>",
            *map(_finding, found),
        ]
        parts += [] if found else ["<p>Not run.</p>"]
    return "\n".join([*parts, "</html>\n"])


def _summary(report: Document, data_page: str) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in ("claim", *report.datasets))
    rows = []
    for name, claim in document.DATA_CLAIMS.items():
        seen = f'<td><a href="{escape(data_page)}">seen in the data</a></td>'
        cells = seen * len(report.datasets)
        rows.append(f"<tr><td>{escape(f'{name}: {claim}')}</td>{cells}</tr>")
    for study, words in report.summary():
        link = f'<a href="#{_anchor(study.name)}">{escape(study.name)}</a>'
        cells = "".join(
            f'<td data-set="{escape(name)}">{_word(word)}</td>'
            for name, word in zip(report.datasets, words, strict=True)
        )
        rows.append(f"<tr><td>{link}: {escape(study.claim)}</td>{cells}</tr>")
    body = "\n".join(rows)
    return (
        f'<table class="claims"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>'
    )


def _finding(finding: Finding) -> str:
    title = f"{escape(finding.dataset)} {_word(finding.verdict.word)}"
    alternative = escape(f"Losses of {finding.study.name} on {finding.dataset}")
    return "\n".join(
        [
            f"<h3>{title}</h3>",
            f'<p class="small">{escape(finding.ran)}.</p>',
            _table(finding.table),
            f'<p class="small">{escape(finding.test)}.</p>',
            f'<img alt="{alternative}" src="data:image/svg+xml;base64,{_svg(finding)}">',
        ]
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADER)
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    table = f'<table class="numbers"><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>'
    # Wide tables scroll by themselves, so that a phone's page does not.
    return f'<div class="scroll">{table}</div>'


def _word(word: str) -> str:
    return f'<span class="word {_CLASSES[word]}">{escape(word)}</span>'


def _anchor(name: str) -> str:
    return name.replace("/", "-")


def _svg(finding: Finding) -> str:
    file = io.BytesIO()
    with matplotlib.rc_context(style.PARAMETERS):
        finding.figure.savefig(file, format="svg", metadata={"Date": None})
    return base64.b64encode(file.getvalue()).decode()
