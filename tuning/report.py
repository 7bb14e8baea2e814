r"""Writes what became of every claim of the report: verdicts, tables and figures.

  python -m tfseq.tuning.report
  python -m tfseq.tuning.report --workdir=runs/wide
  python -m tfseq.tuning.report --markdown=docs/claims.md --html=docs/claims.html

Reads the results of tfseq.tuning.search and tfseq.tuning.sample_size. The HTML page is one file.
The last command writes the documentation's pages, from the results of all studies.
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
    flags.DEFINE_string("markdown", None, "Markdown file [<workdir>/claims.md].")
    flags.DEFINE_string("html", None, "HTML file [<workdir>/claims.html].")
    flags.DEFINE_string(
        "figures", None, "Folder of the Markdown file's figures [figures/claims beside it]."
    )


def main() -> None:
    """Runs the command."""
    workdir = Path(FLAGS.workdir)
    if not workdir.is_dir():
        raise UserError(f"--workdir: there is no folder {workdir}; tfseq.tuning.search makes it")
    markdown_path = Path(FLAGS.markdown or workdir / "claims.md")
    page_path = Path(FLAGS.html or workdir / "claims.html")
    figures = Path(FLAGS.figures or markdown_path.parent / "figures" / "claims")
    cli.require_writable("--markdown", markdown_path.parent)
    cli.require_writable("--html", page_path.parent)
    cli.require_writable("--figures", figures)
    from tfseq.tuning import document, findings, markdown, page

    found = findings.collect(studies.ALL, workdir)
    if not found:
        raise UserError(f"--workdir: there are no results in {workdir}; see tfseq.tuning.search")
    written = document.Document(found)
    markdown.write(written, markdown_path, figures)
    page.write(written, page_path)
    print("\n".join(written.counts()))
    print(f"{markdown_path}\n{page_path}")


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
