r"""Writes what became of every claim of the report: verdicts, tables and figures.

  python -m tfseq.tuning.report
  python -m tfseq.tuning.report --workdir=runs/studies --markdown=docs/claims.md \
      --html=docs/claims.html --figures=docs/figures/claims

Reads the results of tfseq.tuning.search and tfseq.tuning.sample_size. The HTML page is one file.
"""

from pathlib import Path

from absl import flags

from tfseq import cli
from tfseq.errors import UserError
from tfseq.tuning import studies

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", "runs/studies", "Folder of the results [runs/studies].")
    flags.DEFINE_string("markdown", "docs/claims.md", "Markdown file [docs/claims.md].")
    flags.DEFINE_string("html", "docs/claims.html", "HTML file [docs/claims.html].")
    flags.DEFINE_string(
        "figures", "docs/figures/claims", "Figures of the Markdown file [docs/figures/claims]."
    )


def main() -> None:
    """Runs the command."""
    workdir, markdown_path, page_path = (
        Path(FLAGS[name].value) for name in ("workdir", "markdown", "html")
    )
    if not workdir.is_dir():
        raise UserError(f"--workdir: there is no folder {workdir}; tfseq.tuning.search makes it")
    for flag, path in (("--markdown", markdown_path), ("--html", page_path)):
        cli.require_writable(flag, path.parent)
    from tfseq.tuning import document, findings, markdown, page

    found = findings.collect(studies.ALL, workdir)
    if not found:
        raise UserError(f"--workdir: there are no results in {workdir}; see tfseq.tuning.search")
    written = document.Document(found)
    markdown.write(written, markdown_path, Path(FLAGS.figures))
    page.write(written, page_path)
    print("\n".join(written.counts()))
    print(f"{markdown_path}\n{page_path}")


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
