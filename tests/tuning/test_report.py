"""The report on the claims, written from the results of real searches."""

import html
import html.parser
import re
import shutil

import command
import pytest

from tfseq.tuning import document, studies

DOCS = ("--markdown=docs/claims.md", "--html=docs/claims.html")


@pytest.fixture(scope="module")
def written(searched, tmp_path_factory):
    """The folder of the two pages, and what the command said."""
    folder = tmp_path_factory.mktemp("written")
    done = command.run("tuning.report", f"--workdir={searched.workdir}", *DOCS, cwd=folder).check()
    return folder / "docs", done


@pytest.fixture(scope="module")
def markdown(written):
    return (written[0] / "claims.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(written):
    return (written[0] / "claims.html").read_text(encoding="utf-8")


def test_both_pages_name_every_claim(markdown, page):
    for each in studies.ALL:
        assert f"## {each.name}\n" in markdown
        assert each.claim in markdown
        assert f">{each.name}</h2>" in page
    for name in document.DATA_CLAIMS:
        assert name in markdown
        assert name in page
    assert "data.md" in markdown
    assert "data.md" in page


def test_a_study_that_was_run_has_its_verdict_numbers_test_and_figure(markdown, written):
    section = markdown.partition("## cnn/regularization\n")[2].partition("\n## ")[0]
    assert re.search(r"### simulated_emg: (reproduced|not reproduced|inconclusive)\n", section)
    assert "50 training and 20 validation records, 2 epochs, 4 trials with 2 seeds" in section
    assert "width" not in section
    assert "paired t test" in section
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert len(rows) == 4
    assert rows[2].startswith("| with dropout 0.3/0.3 | ")
    assert rows[3].startswith("| batch norm alone | ")
    (figure,) = re.findall(r"!\[[^]]*\]\(([^)]+)\)", section)
    assert (written[0] / figure).read_bytes().startswith(b"\x89PNG")


def test_a_sample_size_study_has_the_sizes_that_were_run(markdown):
    section = markdown.partition("## mlp/sample-size\n")[2].partition("\n## ")[0]
    assert "the MLP at width 0.005" in section
    assert [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| ")][2:] == [
        "| 5",
        "| 10",
        "| 20",
    ]


def test_both_pages_say_the_commands(markdown, page):
    search = (
        "python -m tfseq.tuning.search --study=mlp/dropout,mlp/sample-size,cnn/regularization "
        "--dataset=simulated_emg --seeds=2 --epochs=2 --width_fraction=0.005 "
        "--config.dataset.train_records=50"
    )
    for text in (markdown, html.unescape(page)):
        assert search in text
        assert "python -m tfseq.tuning.report" in text


def test_a_study_that_was_not_run_says_so(markdown, page):
    section = markdown.partition("## mlp/optimizer\n")[2].partition("\n## ")[0]
    assert "Not run." in section
    assert markdown.count("not run") >= 21
    assert page.count('class="word none"') == 21


def test_the_page_is_one_file_with_balanced_tags(page):
    class Reader(html.parser.HTMLParser):
        open, sources, seen = [], [], set()

        def handle_starttag(self, tag, attributes):
            self.seen.add(tag)
            if tag not in ("meta", "img", "!doctype"):
                self.open.append(tag)
            self.sources += [value for name, value in attributes if name in ("src", "href")]

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert {"table", "img", "style", "h2"} <= reader.seen
    assert "script" not in reader.seen
    assert "link" not in reader.seen
    for source in reader.sources:
        assert source.startswith(("#", "data:image/svg+xml;base64,")) or source == "data.md"
    assert 'name="viewport"' in page


def test_the_command_counts_the_verdicts(written):
    first = written[1].stdout.splitlines()[0]
    assert first.startswith(f"simulated_emg: of {len(studies.ALL)} claims ")
    assert "21 not run" in first


def test_the_same_results_give_the_same_files(written, searched):
    folder, _ = written
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    command.run("tuning.report", f"--workdir={searched.workdir}", *DOCS, cwd=folder.parent).check()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_without_flags_the_report_is_beside_the_results_and_the_documentation_stays(
    searched, tmp_path
):
    workdir = tmp_path / "runs" / "studies"
    shutil.copytree(searched.workdir, workdir)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "claims.md").write_text("of all studies", encoding="utf-8")
    done = command.run("tuning.report", cwd=tmp_path).check()
    assert done.stdout.splitlines()[-2:] == ["runs/studies/claims.md", "runs/studies/claims.html"]
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["claims.md"]
    assert (tmp_path / "docs" / "claims.md").read_text(encoding="utf-8") == "of all studies"
    text = (workdir / "claims.md").read_text(encoding="utf-8")
    assert "](../../docs/data.md)" in text
    (figure,) = re.findall(r"!\[cnn/regularization on [^]]*\]\(([^)]+)\)", text)
    assert (workdir / figure).is_file()
    assert 'href="../../docs/data.md"' in (workdir / "claims.html").read_text(encoding="utf-8")
